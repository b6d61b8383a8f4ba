-- What somebody did is read in the order of its time, and what of it an action
-- was without a look at the lines: in that of their numbers nothing was shown,
-- so that whoever left years ago was looked for in all that came since.  Of the
-- same size as the one it takes the place of.
SET LOCAL lock_timeout = '5s';

DROP INDEX audit_actor;
CREATE INDEX audit_actor ON audit (actor, actor_id, at DESC, id DESC)
    INCLUDE (action);
