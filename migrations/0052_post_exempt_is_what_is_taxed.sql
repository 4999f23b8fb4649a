-- What bears no tax by itself, such as stamp duty passed on, keeps its own code.
COMMENT ON TABLE exemption IS 'A customer that pays no tax for a time under a paper it gave, such as a declaration of intent: what it would pay tax on gets this code.';
