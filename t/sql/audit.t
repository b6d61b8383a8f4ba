#!/usr/bin/perl

# The audit: written by every act, append-only by rights and by trigger,
# chained by one sealer, and proof that names the first broken link.

use strict;
use warnings;
use utf8;

use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;
my $super = $pg->db('postgres');

my $ali = $pg->make_person($db, level => 3);
my $clerk = $pg->make_staff('clerk');
my $t = $pg->send_letter($db, $ali);


sub proof { $pg->call($db, 'audit_verify', @_ ? @_ : (undef, undef))->[0] }
sub seal { $pg->call($db, 'audit_seal', $_[0] // 10000)->[0] }


# What is written --------------------------------------------------------------------

$pg->staff($db, $clerk, 'clerk_letter_open', $t);
my $line = $owner->selectrow_hashref(
    'SELECT * FROM audit ORDER BY id DESC LIMIT 1');
is "@$line{qw(actor actor_id action object object_id address)}",
   "staff $clerk->{id} letter_viewed letter $t 10.0.0.8",
   'who, what, which, from where';

my $before = $owner->selectrow_array('SELECT count(*) FROM audit');
$pg->refused($db, sub {
    $pg->staff($db, $clerk, 'letter_reply', Cluster::key(), $t, '', 1, undef,
               '[]') });
is $owner->selectrow_array('SELECT count(*) FROM audit'), $before,
   'what did not happen is not written';
my $all = $owner->selectrow_array(
    q{SELECT string_agg(details::text || coalesce(object_id, ''), ' ')
        FROM audit});
unlike $all, qr/$ali->{national_code}|$ali->{mobile}|code-\d|secret/,
   'no national code, mobile, code or secret in it';

# What waits for the disk ------------------------------------------------------------

my $file = $owner->selectrow_array('SELECT id FROM files LIMIT 1');

sub waits {
    my ($guard, $as, @call) = @_;
    my $rows;

    $db->begin_work;
    $pg->call($db, $guard, @$as);
    $rows = $pg->call($db, @call) if @call;

    my ($on) = $db->selectrow_array('SHOW synchronous_commit');

    $db->rollback;
    return $rows && !@$rows ? 'not found' : $on;
}

my @ali = ($ali->{id}, $ali->{epoch} // 1, 1, '10.0.0.9');
my @clerk = ($clerk->{id}, $clerk->{epoch} // 1, '', '10.0.0.8');

is waits(person_guard_note => \@ali, file_read => $ali->{id}, $file), 'off',
   'that people read their files';
is waits(staff_guard_write => \@clerk, clerk_file_read => $clerk->{id}, $file),
   'on', 'not so of staff';
is waits(person_guard_note => \@ali), 'on', 'nor what is behind the guard alone';
is waits(person_guard_write => \@ali, letter_seen => $t, 0),
   'on',
   'nor any other write';

# A file that is read in pieces ------------------------------------------------------

sub readings {
    for my $from (@_) {
        $db->begin_work;
        $pg->call($db, person_guard_note => @ali[0 .. 2], $from);
        $pg->call($db, file_read => $ali->{id}, $file);
        $db->commit;
    }

    return $owner->selectrow_array(
        q{SELECT count(*) FROM audit
           WHERE action = 'file_read' AND actor = 'person'});
}

is readings('10.0.0.9', '10.0.0.9', '::ffff:10.0.0.9'), 1,
   'in ten minutes, from one address, it is one reading';
is readings('10.0.0.10'), 2, 'from another one it is another';
is readings(map { "2001:db8:0:1::$_" } 1 .. 5), 3,
   'a network of IPv6 is one address';

# Append-only ------------------------------------------------------------------------

for my $sql ('UPDATE audit SET action = $$x$$', 'DELETE FROM audit',
             'TRUNCATE audit CASCADE', 'INSERT INTO audit (actor, action,
              object) VALUES ($$system$$, $$x$$, $$x$$)',
             'UPDATE audit_chain SET hash = hash', 'DELETE FROM audit_pending',
             'ALTER TABLE audit DISABLE TRIGGER ALL')
{
    ok !eval { $db->do($sql) }, 'portal: no ' . ($sql =~ /^(\w+ \w+ \w+)/)[0];
}

for my $sql ('UPDATE audit SET action = $$x$$', 'DELETE FROM audit',
             'TRUNCATE audit CASCADE', 'UPDATE audit_chain SET hash = hash',
             'DELETE FROM audit_chain')
{
    is $pg->refused($owner, sub { $owner->do($sql) }),
       'CR403 audit_append_only', 'owner: no ' . ($sql =~ /^(\w+ \w+)/)[0];
}

ok !eval { $super->do(q{SET session_replication_role = replica});
           $super->do('DELETE FROM audit'); 1 },
   'nor past ordinary triggers';
$super->do('RESET session_replication_role');

# The chain ---------------------------------------------------------------------------

my $sealed = seal(3);
is $sealed->{sealed}, 3, 'in portions';
my $first = seal();
is seal()->{sealed}, 0, 'then nothing is left';

# Recomputed from outside, as an auditor with an export would.
my ($hash, $wrong) = ("\0" x 32, 0);
for my $row (@{$owner->selectall_arrayref(
    q{SELECT encode(audit_line(a), 'hex'), encode(c.hash, 'hex')
        FROM audit_chain AS c JOIN audit AS a ON a.id = c.audit_id
       ORDER BY c.seq})})
{
    my $next = sha256_hex($hash . pack 'H*', $row->[0]);
    $wrong++ if $next ne $row->[1];
    $hash = pack 'H*', $row->[1];
}
is $wrong, 0, 'the chain is SHA-256 over the one before and the line';
is unpack('H*', $hash), $first->{head}, 'and its end the head';
my ($text) = $owner->selectrow_array(q{SELECT convert_from(audit_line(a),
    'UTF8') FROM audit AS a WHERE id = 1});
like $text, qr/^\[1, "20\d\d-\d\d-\d\dT[\d:.]+", "\w+", /, 'a line is JSON';

ok proof()->{ok}, 'it holds';
ok proof($first->{seq}, $first->{head})->{ok}, 'with the published head';
is proof($first->{seq}, '00' x 32)->{reason}, 'head_differs',
   'another head does not fit';
is proof($first->{seq} + 100, $first->{head})->{reason}, 'head_missing',
   'a chain that was cut off';

# Sealers and writers at once.
my @counts = $pg->parallel(12, sub {
    my ($dbh, $i) = @_;
    $pg->{statements} = undef;
    my $n = 0;
    for (1 .. 40) {
        if ($i < 4) {
            $n += $pg->call($dbh, 'audit_seal', 50)->[0]{sealed} // 0;
        } else {
            $pg->call($dbh, 'audit_refused', 'nobody', undef, 'route', '1');
        }
    }
    $n;
});
seal() for 1 .. 3;
ok proof()->{ok}, 'writers and four sealers at once: one chain';
is $owner->selectrow_array('SELECT count(*) FROM audit AS a
       LEFT JOIN audit_chain AS c ON c.audit_id = a.id
      WHERE c.seq IS NULL'), 0, 'every line is in it';
is $owner->selectrow_array('SELECT max(seq) = count(*) FROM audit_chain'), 1,
   'without gaps';

# The sealer's own proof, piece by piece ------------------------------------------------


sub check { $pg->call($db, 'audit_check', $_[0])->[0]{broken_seq} }
sub known { $pg->call($db, 'audit_head')->[0] }


my ($links) = $owner->selectrow_array('SELECT count(*) FROM audit_chain');
ok !known()->{ok}, 'nothing is known yet';
check(100) for 1 .. int($links / 100);
ok !known()->{ok}, 'nor while it has not come to the end';
check(100) for 1 .. 2;
ok known()->{ok} && known()->{checked_at}, 'in pieces it is proven';
is $owner->selectrow_array('SELECT seq FROM audit_checks'), $links,
   'up to the last link';


# Does something behind the triggers' back, lets the proof run through twice
# (it begins anew every day), and takes it back.
sub found {
    my ($sql) = @_;

    $super->begin_work;
    $super->do('ALTER TABLE audit DISABLE TRIGGER USER');
    $super->do('ALTER TABLE audit_chain DISABLE TRIGGER USER');
    $super->do($sql);
    $super->do(q{UPDATE audit_checks SET whole_at = '2020-01-02',
                                         began_at = '2020-01-01'});
    my @said = map { $pg->call($super, 'audit_check', 100)->[0]{broken_seq} }
               1 .. 2 * int($links / 100) + 4;
    my $known = $pg->call($super, 'audit_head')->[0];
    $super->rollback;

    return join ' ', (grep { defined } @said)[0] // '',
        map { $known->{$_} // '' } qw(broken_reason ok);
}


is found('SELECT 1'), '  1', 'a whole one stays whole';
is found('UPDATE audit SET actor_id = 77 WHERE id = (SELECT audit_id
              FROM audit_chain WHERE seq = 5)'),
   '5 line_changed 0', 'a changed line';
is found('DELETE FROM audit WHERE id = (SELECT audit_id FROM audit_chain
              WHERE seq = 150)'), '150 line_missing 0', 'a missing line';
is found('DELETE FROM audit_chain WHERE seq = 5'), '6 link_missing 0',
   'a missing link';
is found("DELETE FROM audit_chain WHERE seq = $links"),
   "$links head_missing 0", 'an end that was cut off';
is found("UPDATE audit_chain SET hash = sha256('x') WHERE seq = $links"),
   "$links head_differs 0", 'another end than the one that was seen';

$super->begin_work;
$super->do('ALTER TABLE audit DISABLE TRIGGER USER');
$super->do(q{UPDATE audit SET details = '{"a":1}' WHERE id = 1});
$super->do('UPDATE audit_checks SET seq = 0, hash = decode(repeat($$00$$, 32),
            $$hex$$), began_at = now()');
is $pg->call($super, 'audit_check', 100)->[0]{broken_seq}, 1, 'found';
$super->do(q{UPDATE audit SET details = (SELECT details FROM audit
             WHERE id = 1) - 'a' WHERE id = 1});
is $pg->call($super, 'audit_check', 100)->[0]{broken_seq}, 1,
   'it stays known until a whole round finds nothing';
$pg->call($super, 'audit_check', 100) for 1 .. int($links / 100) + 1;
ok $pg->call($super, 'audit_head')->[0]{ok}, 'then it is well again';
$super->rollback;

# Tampering, by someone with all rights --------------------------------------------------


# Does something behind the triggers' back, looks, and takes it back.
sub tampered {
    my ($sql) = @_;

    $super->begin_work;
    $super->do('ALTER TABLE audit DISABLE TRIGGER USER');
    $super->do('ALTER TABLE audit_chain DISABLE TRIGGER USER');
    $super->do($sql);
    my $p = $pg->call($super, 'audit_verify', $first->{seq}, $first->{head})
               ->[0];
    $super->rollback;

    return join ' ', $p->{ok} ? 'ok' : $p->{reason},
        $p->{broken_seq} // '', $p->{broken_audit_id} // '';
}


my ($five) = $owner->selectrow_array(
    'SELECT audit_id FROM audit_chain WHERE seq = 5');
is tampered(qq{UPDATE audit SET actor_id = 77 WHERE id = $five}),
   "line_changed 5 $five", 'a changed line is named';
is tampered(qq{UPDATE audit SET details = '{"a":1}' WHERE id >= $five}),
   "line_changed 5 $five", 'of several the first';
is tampered(qq{DELETE FROM audit WHERE id = $five}),
   "line_missing 5 $five", 'a missing line';
is tampered('DELETE FROM audit_chain WHERE seq = 5') =~ s/ \d+$//r,
   'link_missing 6', 'a missing link';
is tampered(qq{UPDATE audit_chain SET hash = sha256('x') WHERE seq = 5}),
   "line_changed 5 $five", 'a forged link';
is tampered(qq{UPDATE audit SET actor_id = 77 WHERE id = $five;
    DO \$\$ DECLARE h bytea; r record; BEGIN
      SELECT hash INTO h FROM correspondence.audit_chain WHERE seq = 4;
      FOR r IN SELECT c.seq, a FROM correspondence.audit_chain c
          JOIN correspondence.audit a ON a.id = c.audit_id
         WHERE c.seq > 4 ORDER BY c.seq LOOP
        h := sha256(h || correspondence.audit_line(r.a));
        UPDATE correspondence.audit_chain SET hash = h WHERE seq = r.seq;
      END LOOP; END \$\$}) =~ s/ +$//r, "head_differs $first->{seq}",
   'a chain forged to its end does not fit the head published outside';
like tampered(q{INSERT INTO audit (actor, action, object)
                VALUES ('system', 'x', 'x')}), qr/^line_unchained  \d+$/,
   'a line slipped in';

done_testing;
