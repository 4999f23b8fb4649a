-- A turn of the sender and a look of verification no longer read what waits, of which there may be a million.
CREATE INDEX enforcement_under_way ON enforcement (id) WHERE state IN ('sent', 'acked', 'nacked', 'unanswered');
CREATE INDEX enforcement_in_hand ON enforcement (nas_id) WHERE taken_by IS NOT NULL;
