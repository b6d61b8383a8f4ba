-- Old letters for measuring: psql -v letters=1000000 -f bench/load-letters.sql
-- as a superuser, into a database that is thrown away afterwards.  Three rows
-- of timeline for each letter and as many messages, ten units, ten clerks (those
-- who are there already among them); nine of ten are closed.  However many,
-- they came in two years: no tab of the inbox is empty at ten thousand.  They
-- stand as they came, the newest at the end.

SET search_path = correspondence;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';

-- No foreign key is asked, indexes are made at the end: a million letters
-- take minutes, not an hour.
SET session_replication_role = replica;
SET ROLE correspondence_owner;

CREATE TEMP TABLE dropped AS
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made
  FROM pg_index
 WHERE indrelid IN ('letters'::regclass, 'events'::regclass,
                    'messages'::regclass, 'referrals'::regclass)
   AND NOT EXISTS (SELECT FROM pg_constraint AS c
                    WHERE c.conindid = indexrelid);
SELECT format('DROP INDEX %s', name) FROM dropped \gexec

INSERT INTO units (code, name)
SELECT 'unit' || n, 'واحد ' || n FROM generate_series(1, 10) AS n
ON CONFLICT DO NOTHING;

INSERT INTO staff (username, name, role, unit_id, status, password_hash)
SELECT 'load' || n, 'منشی ' || n,
       CASE WHEN n <= 10 THEN 'clerk' ELSE 'expert' END,
       CASE WHEN n > 10 THEN (SELECT id FROM units
                               WHERE code = 'unit' || (n - 10)) END,
       'active', 'x'
  FROM generate_series(1, 20) AS n
ON CONFLICT DO NOTHING;

CREATE TEMP TABLE words (n serial, word text);
INSERT INTO words (word) SELECT unnest(string_to_array(
    'درخواست شکایت اعتراض پیشنهاد گزارش تمدید صدور ابطال اصلاح تأیید پرداخت '
    || 'تسهیلات مجوز پروانه قرارداد مناقصه بیمه مالیات حقوق کارگاه زمین آب برق '
    || 'گاز راه ساختمان شهرداری دانشگاه مدرسه بیمارستان کشاورزی صنعت معدن '
    || 'تجارت واردات صادرات گمرک استخدام بازنشستگی مرخصی انتقال مسکن وام سهام '
    || 'شرکت تعاونی ایثارگران خانواده فرزند ازدواج', ' '));
-- Rare ones as well, fifty of a million letters each; one letter has a word
-- that no other has.
INSERT INTO words (word)
SELECT 'واژه' || n FROM generate_series(1, 20000) AS n;

-- Five letters each, and one has a name that nobody else has.
INSERT INTO persons (national_code, mobile, birth_date, first_name,
                     last_name, father_name, mobile_step, registry_step)
SELECT lpad((n + 3000000000)::text, 10, '0'), '0919' || lpad(n::text, 7, '0'),
       '1980-01-01', (ARRAY['علی', 'سارا', 'رضا', 'مریم', 'حسن'])[1 + n % 5],
       CASE WHEN n = 10 THEN 'یگانه' ELSE 'خانواده' || n % 5000 END,
       'احمد', 'yes', 'yes'
  FROM generate_series(1, :letters / 5) AS n
ON CONFLICT DO NOTHING;

CREATE TEMP TABLE some_persons AS
SELECT row_number() OVER (ORDER BY id) - 1 AS n, * FROM persons
 WHERE mobile LIKE '0919%';
CREATE UNIQUE INDEX ON some_persons (n);
ANALYZE some_persons;
CREATE UNIQUE INDEX ON words (n);
ANALYZE words;

INSERT INTO letters (tracking_code, person_id, created_at, person_kind,
    first_name, last_name, father_name, birth_date, national_code, mobile,
    address, subject, body, status, owner_id, unit_id, open_referrals, due_on,
    book_id, register_year, register_number, registered_at, first_answer_at,
    answered_at, closed_at, undelivered, file_count, search)
SELECT (100000000 + g)::text, p.id, at, 'natural', p.first_name, p.last_name,
       p.father_name, p.birth_date, p.national_code, p.mobile, 'تهران',
       s.subject, '', CASE WHEN closed THEN 'answered'
                           WHEN g % 100 < 3 THEN 'registered'
                           WHEN g % 100 < 6 THEN 'review'
                           ELSE 'secretariat' END,
       CASE WHEN closed OR g % 100 >= 3 THEN clerks[1 + g / 100 % 10] END,
       (SELECT min(id) FROM units WHERE code LIKE 'unit%') + g / 100 % 10,
       (NOT closed AND g % 100 BETWEEN 3 AND 5)::int,
       (at + interval '14 days')::date, 1,
       (1300 + g / 400000)::smallint, g % 400000,
       at, at + interval '4 days', CASE WHEN closed THEN at + interval '5 days' END,
       CASE WHEN closed THEN at + interval '6 days' END, g % 500 = 0, 1,
       search_words(s.subject || ' ' || p.first_name || ' ' || p.last_name)
  FROM generate_series(1, :letters) AS g
 CROSS JOIN (SELECT array(SELECT id FROM staff WHERE role = 'clerk'
                           ORDER BY id LIMIT 10) AS clerks) AS c
 CROSS JOIN LATERAL (SELECT now() - (:letters - g) * 1000000.0 / :letters
                                    * interval '1 minute' AS at,
                            g % 100 >= 10 AS closed) AS t
  JOIN some_persons AS p ON p.n = g % (:letters / 5)
 CROSS JOIN LATERAL (SELECT string_agg(w.word, ' ')
            || CASE WHEN g = 777 THEN ' یکتا' ELSE '' END AS subject
       FROM words AS w
      WHERE w.n IN (1 + g % 3, 4 + g % 47, 51 + g % 20000, 20 + g % 30)) AS s
 ORDER BY g;

INSERT INTO events (letter_id, at, kind, actor, visibility, body)
SELECT l.id, l.created_at + k.n * interval '1 day', k.kind, k.actor,
       'citizen', ''
  FROM letters AS l,
       (VALUES (0, 'letter_sent', 'person'), (1, 'registered', 'staff'),
               (5, 'reply', 'staff')) AS k (n, kind, actor)
 WHERE l.tracking_code LIKE '1________';

INSERT INTO referrals (letter_id, letter_at, late_on, unit_id, created_by,
                       created_at, due_on, outcome, closed_at, closed_by)
SELECT l.id, l.created_at, late_on(l), l.unit_id, l.owner_id, l.created_at + interval '1 day', l.due_on,
       CASE WHEN l.open_referrals = 0 THEN 'answered' END,
       CASE WHEN l.open_referrals = 0 THEN l.created_at + interval '3 days' END,
       CASE WHEN l.open_referrals = 0 THEN l.owner_id END
  FROM letters AS l
 WHERE l.tracking_code LIKE '1________' AND l.owner_id IS NOT NULL
   AND (l.open_referrals > 0 OR l.id % 2 = 0);

-- Each line of the timeline was told.
INSERT INTO messages (event_id, letter_id, person_id, mobile, template, params,
                      state)
SELECT e.id, l.id, l.person_id, l.mobile, 'letter_registered', '{}', 'delivered'
  FROM events AS e JOIN letters AS l ON l.id = e.letter_id
 WHERE l.tracking_code LIKE '1________';

SELECT made FROM dropped \gexec

VACUUM ANALYZE letters, events, referrals, messages, persons;
