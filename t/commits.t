#!/usr/bin/perl

# Commits that wait, as they do while the only synchronous standby is away:
# pages that only read go on as if nothing were, what writes waits or is
# refused in words, and is there once when commits go on.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Time::HiRes qw(sleep time);

use Portal;
use Torture::Letters;
use Torture::Watch;

# more at once than there are writers, late after two seconds

use constant { READERS => 2, WRITERS => 2, CLIENTS => 6, SECONDS => 16 };

my $p = Portal->new(replace => [ [ qr/connections=3;/, 'connections='
    . READERS . ' writers=' . WRITERS . ' timeout=2s;' ] ]);
my $b = $p->browser;

$b->signup;
is($b->get('/desk/identity')->status, 200, 'all is well at first');

my $letters = Torture::Letters->new($p, clients => CLIENTS, pause => 0.1);
my $watch = Torture::Watch->new($p, $b, processes => 3);

sub commits_wait {
    my ($for) = @_;

    $p->sql("ALTER SYSTEM SET synchronous_standby_names = '$for'");
    $p->sql('SELECT pg_reload_conf()');
}

sub backends {
    return $p->value('SELECT count(*) FROM pg_stat_activity WHERE usename = ?',
                     'correspondence_portal');
}

$letters->start;
ok(wait_until(20, sub { $letters->acknowledged }), 'letters are accepted');

# one whose browser gives up sends the same form once more meanwhile

my $n = $p->browser;

$n->signup;
$n->set_password;
$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $n->{person}{national_code});
$n->get('/desk/letters/new')->expect(200, 'letter form');

my $again = { key => 'k' x 40, subject => 'key again',
              files => [ { name => 'letter.png' } ],
              bytes => [ Portal::Browser::tiny_png() ] };
my $letter = sub { Torture::Letters::send_letter($n, $again) };

commits_wait('nobody');
$watch->start;

my $first = fork // die "fork: $!\n";

if ($first == 0) {
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
    alarm 1;
    $letter->();
}

waitpid $first, 0;

my $since = time;
my $most = 0;

my $second = $letter->();

is($second->{status}, 503, 'the same form again meanwhile: 503');
like($n->text, qr/این بار دریافت نشد.*نامهٔ دوم نمی|معلوم نیست/,
     'and nobody says that the first was not taken');

while (time < $since + SECONDS) {
    my $n = backends();

    $most = $n if $n > $most;
    sleep 0.5;
}

my $until = time;
my $pages = $watch->answers($since, $until);

cmp_ok($pages->{200} // 0, '>', 100, 'pages are asked for');
is(join(' ', grep { $_ ne 200 } keys %$pages), '', 'and answered, each');
cmp_ok($watch->slowest($since, $until), '<', 1, 'soon');
is($letters->acknowledged_after($since + 1), undef, 'no letter is accepted');

commits_wait('');
ok(wait_until(30, sub { $letters->acknowledged_after($until) }),
   'commits go on: letters are accepted');
sleep 1;
$letters->stop;
$watch->stop;
is($watch->outage($until), 0, 'pages stay well');

my $there = sub {
    return $p->value('SELECT tracking_code FROM letters WHERE subject = ?',
                     $again->{subject});
};

# taken after all, unless it had no writer in time and was never sent

note(wait_until(20, $there) ? 'the first was taken' : 'the first was not sent');
is($letter->()->{code}, $there->(), 'the same form once more: its code');
is($p->value('SELECT count(*) FROM letters WHERE subject = ?',
             $again->{subject}), 1, 'and no second letter');

my $a = $letters->account;

cmp_ok($most, '<=', READERS + WRITERS,
       'none of those that waited was left behind in the server');
note(join ', ', map { "$a->{answers}{$_} times $_" }
                sort keys %{ $a->{answers} });
note("$a->{unanswered} letters without an answer, "
     . "$a->{unanswered_there} of them there");
is($a->{lost}, 0, 'no letter is lost');
is($a->{doubled}, 0, 'none doubled');
is($a->{half}, 0, 'none by half');
is(join(' ', grep { !/^(?:ok|503)$/ } keys %{ $a->{answers} }), '',
   'those without a code were told to come again');

$letters->again;
is($a->{again}, $a->{sent}, 'each was sent again with its key');

my @problems = grep { $_ ne "$again->{subject} was never sent" }
               @{ $a->{problems} };

is_deeply(\@problems, [], 'all is accounted for')
    or diag join "\n", map { substr $_, 0, 300 } @problems;

# A server that lets in a few: pages go on, what writes is refused at once.

my $limit = sub {
    my ($n) = @_;

    $p->sql("ALTER ROLE correspondence_portal CONNECTION LIMIT $n");
    $p->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE usename = 'correspondence_portal'});
};

my $save = sub {
    my $from = time;

    $n->post('/desk/profile', { address => 'تهران، خیابان آزادی' });
    return ($n->status, time - $from);
};

$p->allow(qr/too many connections for role|terminating connection/);
$n->get('/desk/profile')->expect(200, 'the profile');
$limit->(1);

# the one may be a background job's, for writes: then all go on, over that one

ok(wait_until(40, sub {
       return 0 if $n->get('/desk')->status != 200 || backends() != 1;
       return 1 if ($save->())[0] == 503;
       $limit->(1);
       return 0;
   }), 'one connection, for reading: pages are shown');
sleep 1;
is(join(' ', map { my ($status, $took) = $save->();
                   $status . ($took < 1 ? '' : " after $took s") } 1 .. 3),
   '503 503 503', 'nothing can be written, which is said at once');
is(join(' ', map { $_->{name} } @{ $n->json('/health')->{problems} // [] }),
   'postgres_writers', 'and /health knows');
is($n->get('/desk/profile')->status, 200, 'pages go on');
$limit->(-1);
ok(wait_until(20, sub { ($save->())[0] == 303 }), 'all are let in: it is saved');

$p->done;
