#!/usr/bin/perl

# Redis that hangs, vanishes, comes back empty or as a replica: sessions may
# be lost, requests never.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use Time::HiRes qw(sleep time);

use Portal;
use Portal::Crowd;

my $page = '/desk/identity';
my $p = Portal->new(proxies => ['redis']);
my $proxy = $p->proxy('redis');
my $socket = $p->instance->{sockets} . '/redis.sock';
my $b = $p->browser;

$b->signup;
is($b->get($page)->status, 200, 'all is well at first');

sub up {
    my $health = $b->json('/health');

    return $health && $health->{redis}{up};
}

sub well {
    my ($what) = @_;

    ok(wait_until(8, \&up), "$what: well again") or diag $p->log;
    is($b->get($page)->status, 200, "$what: the page");
}

sub took {
    my $since = time;

    $b->get($page);
    return time - $since;
}

sub redis { system('redis-cli', '-s', $socket, @_) == 0 or die "@_" }

$proxy->mode('byte');
is_deeply(Portal::Crowd->new($b, $page, 10)->wait(30), { 200 => 10 },
          'a byte at a time');
$proxy->mode('pass');

for my $bytes (1, 3, 20) {
    $proxy->cut($bytes);

    my $r = Portal::Crowd->new($b, $page, 5)->wait(10);

    is(($r->{200} // 0) + ($r->{503} // 0), 5,
       "cut after $bytes bytes: all have an answer");
    $proxy->mode('pass');
    well("cut after $bytes bytes");
}

$proxy->mode('refuse');
$b->get($page);
is($b->get($page)->status, 503, 'refused: 503, not a lost session');
ok(took() < 0.5, 'at once');

# what the page calls the error is in its own line of the log

my %reference;

for my $path ('/desk/identity', '/desk/letters', '/desk/identity') {
    my $before = length $p->log;

    $b->get($path);

    my $name = $b->dom->at('[data-reference] bdi')->text;
    my @lines = grep { /correspondence: \w+: status 503/ }
                split /\n/, substr $p->log, $before;

    like($name, qr/^[2-9A-HJ-NP-Z]{8}$/, "$path: a reference");
    is(scalar @lines, 1, "$path: one line of the log");
    like($lines[0], qr{correspondence: $name: .*request: "GET $path },
         "$path: which has it");
    ok(!$reference{$name}++, "$path: another one each time");

    $before = length $p->log;
    $name = $b->json($path)->{reference};
    like(substr($p->log, $before), qr/correspondence: \Q$name\E: status 503/,
         "$path: as data");
    ok(!$reference{$name}++, "$path: and that another one");
}

# no reference to what the log does not have as nginx.conf.example sets it up

for my $case ([ '/login?%zz', 400, 1 ], [ '/nowhere', 404, 0 ]) {
    my ($path, $status, $logged) = @$case;
    my $before = length $p->log;

    is($b->get($path)->status, $status, "$path: $status");

    my $bdi = $b->dom->at('[data-reference] bdi');
    my ($in) = substr($p->log, $before)
               =~ /\[(?:notice|error)\].*correspondence: (\w+): status 4/;

    is($bdi && $bdi->text, $logged ? $in // 'none' : undef,
       "$path: a reference when the log has it");
}

is($b->get('/health')->status, 503, 'refused: not ready');
$proxy->mode('pass');
well('refused');

# A letter and its captcha: nothing is lost or taken by half, and pages of
# nobody work on.

$p->configure(replace => [[ qr/correspondence_captcha off;/,
                            'correspondence_captcha on;' ]]);
$p->reload;
$b->identify;
$b->get('/desk/letters/new')->expect(200, 'the letter form');

my $id = $b->dom->at('[name="captcha_id"]')->val;
my $image = $b->dom->at('.captcha img')->attr('src');
my %letter = (%{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
              person_kind => 'natural', address => 'here',
              subject => 'without Redis', body => 'text',
              captcha => $p->captcha_answer($id),
              file => [ [ 'a.png', Portal::Browser::tiny_png('redis'),
                          'image/png' ] ]);

sub letters { $p->value('SELECT count(*) FROM letters') }

$proxy->mode('refuse');
ok(wait_until(10, sub { !up() }), 'Redis is away');

my $nobody = $p->browser;

is($nobody->get($_)->status, 503, 'no picture or sound: it may be answered')
    for $image, $image =~ s/png$/wav/r;
is($nobody->get($_)->status, 200, "$_ is shown")
    for qw(/ /signup /login /login/code /recover /track);
$nobody->get('/track')->submit({
    tracking_code => $p->value('SELECT correspondence.tracking_candidate(8)'),
    mobile_last4 => '1234' });
is($nobody->status, 422, 'tracking answers');
is($b->post('/desk/letters', { %letter })->status, 503,
   'a letter: 503, as nobody knows who it is');
like($b->body, qr/data-reference|<bdi/, 'with a page');
is(letters(), 0, 'it is not taken');
is($b->get('/desk/letters/new')->status, 503, 'nor is the form shown');
is($nobody->post('/login', { national_code => $b->{person}{national_code},
                             password => 'x' })->status, 422,
   'a wrong password is told as such');

# nobody counts by address now, but PostgreSQL does by what is guessed at

my $guessed = $p->value('SELECT correspondence.tracking_candidate(8)');

for my $case ([ '/login', { national_code => $b->{person}{national_code},
                            password => 'x' } ],
              [ '/track', { tracking_code => $guessed,
                            mobile_last4 => '1234' } ])
{
    my ($path, $fields) = @$case;
    my ($n, $status) = (0, 0);

    while ($status != 429 && $n++ < 40) {
        $nobody->get($path);
        $status = $nobody->post($path, $fields)->status;
    }

    is($status, 429, "$path: guessing is stopped all the same, after $n");
}

$proxy->mode('pass');
ok(wait_until(8, \&up), 'Redis is back');
is($b->post('/desk/letters', { %letter })->status, 303,
   'the same form is taken now, with the same answer');
is(letters(), 1, 'once');

# between the look-up of the session and that of the captcha nothing is
# half done either: the answer is good for once and Redis forgot it

$b->get('/desk/letters/new');
%letter = (%{ Portal::Browser::preset($b->form({}, 'form[enctype]')) },
           map { $_ => $letter{$_} } qw(person_kind address subject body
                                        file));
$letter{captcha} = $p->captcha_answer($b->dom->at('[name="captcha_id"]')->val);
redis('del', grep { chomp; $_ } `redis-cli -s $socket --scan --pattern 'captcha:*'`);
is($b->post('/desk/letters', { %letter })->status, 422,
   'a captcha that Redis forgot');
ok($b->error('captcha'), 'is asked for again');
is(letters(), 1, 'and nothing is taken');
is($b->dom->find('[name="kept_file"]')->size, 1, 'the file is kept');
$b->submit({ captcha => $p->captcha_answer(
                 $b->dom->at('[name="captcha_id"]')->val) }, 'form[enctype]');
is($b->status, 303, 'with another answer it is')
    or diag $b->dom->at('#error-summary');
is(letters(), 2, 'one more letter');

$proxy->mode('stall');

my $crowd = Portal::Crowd->new($b, $page, 20);
my $r = $crowd->wait(15);

is($r->{503}, 20, 'stalled: 503 for all');
cmp_ok($crowd->slowest, '<', 8, 'within the time-out');
ok(wait_until(10, sub { !up() }), 'and is given up');
$proxy->mode('pass');
well('stalled');

$proxy->mode('stall');
$crowd = Portal::Crowd->new($b, $page, 20);
sleep 0.2;
$crowd->abort;
sleep 0.2;
$proxy->mode('pass');
well('clients left');

# idle and gone: the ping finds it, not the next person

$proxy->mode('stall');
ok(wait_until(20, sub { !up() }), 'a peer that vanished while idle is noticed');
$proxy->mode('pass');
well('vanished while idle');

# a replica is not written to

redis(qw(replicaof 127.0.0.1 1));
ok(wait_until(10, sub { !up() }), 'what became a replica is let go');
like($p->log, qr/redis: cannot connect to \S+: it is not a master/,
     'and not taken again');
redis(qw(replicaof no one));
well('a master again');

# all sessions gone: log in again, and nothing worse

redis('flushall');
is($b->get($page)->status, 303, 'a lost session asks to log in');

my $other = $p->browser;

$other->signup;
is($other->get($page)->status, 200, 'and others can');

# reload and stop

$proxy->mode('stall');
$crowd = Portal::Crowd->new($other, $page, 10);
sleep 0.2;
kill HUP => $p->nginx_pid;
sleep 0.3;
$proxy->mode('pass');
is_deeply($crowd->wait(15), { 200 => 10 },
          'a reload loses nothing that was accepted');

$proxy->mode('stall');
$crowd = Portal::Crowd->new($other, $page, 10);
sleep 0.2;
is($p->stop_nginx, 0, 'a stop while it is stalled');
is($crowd->wait(5)->{503}, 10, 'all have an answer');

$proxy->mode('refuse');
$p->start_nginx;
is($other->get($page)->status, 503, 'a start without Redis gives 503');
$proxy->mode('pass');
ok(wait_until(8, \&up), 'until it comes');
is($other->get($page)->status, 200, 'and the session is there');

$p->done;
