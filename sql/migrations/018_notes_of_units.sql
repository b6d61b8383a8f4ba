-- An expert's note was read by experts of other units that had the letter, too;
-- now it is of a unit, as an answer is.  Those there are: of the expert's own
-- unit when it had the letter, else of the one that had it last.
UPDATE events AS e SET unit_id = (
    SELECT r.unit_id FROM referrals AS r
     WHERE r.letter_id = e.letter_id
     ORDER BY r.unit_id IS NOT DISTINCT FROM s.unit_id DESC, r.id DESC
     LIMIT 1)
  FROM staff AS s
 WHERE e.kind = 'note' AND e.unit_id IS NULL
   AND s.id = e.staff_id AND s.role = 'expert';
