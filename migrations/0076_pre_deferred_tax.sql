-- Deferred tax is owed when it is paid: whose tax is, is asked over all years, and few documents have any.
CREATE INDEX document_tax_deferred ON document_tax (document_id) WHERE liability = 'deferred';
