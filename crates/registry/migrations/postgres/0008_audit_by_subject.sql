-- list_audit: what was done to one thing, newest first.
CREATE INDEX audit_log_by_subject ON audit_log (account_id, subject, audit_id);
