-- What is looked for in the audit is found without reading what else was done
-- all day.
SET LOCAL lock_timeout = '5s';

-- Of an action: when, whose it was, of what.
CREATE INDEX audit_action ON audit (action, at DESC, id DESC)
    INCLUDE (actor, object);

-- What somebody did, in the order of its time, and what of it an action was:
-- in that of their numbers nothing was shown, so that whoever left years ago
-- was looked for in all that came since.  Of the same size as the one it takes
-- the place of.
DROP INDEX audit_actor;
CREATE INDEX audit_actor ON audit (actor, actor_id, at DESC, id DESC)
    INCLUDE (action);
