-- The index that letters_clock took the place of.  By itself: it locks out
-- those who read letters, if only for a moment.
SET LOCAL lock_timeout = '5s';
DROP INDEX letters_late;
