-- What was done rarely is found without reading what was done all day.
SET LOCAL lock_timeout = '5s';

CREATE INDEX audit_action ON audit (action, at DESC, id DESC);
