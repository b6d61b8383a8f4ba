#!/usr/bin/perl

# A file's next pieces: PostgreSQL is not asked for each of them, and whoever
# lost a right has it no more with the next request all the same.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Time::HiRes qw(sleep);

use Portal;

my $memory = 'correspondence_reading_memory';
my %address = (http => "    set_real_ip_from 127.0.0.1;\n"
                       . "    real_ip_header X-Real-IP;\n");

# So long that nothing here ends by itself.

my $p = Portal->new(http => "$address{http}    $memory 60s;\n",
                    proxies => [ 'postgres' ]);

sub redis { `redis-cli -s $p->{instance}{sockets}/redis.sock @_` }

sub key { join '', map { ('a' .. 'z')[rand 26] } 1 .. 24 }


sub citizen {
    my $b = $p->browser;

    $b->signup;
    $p->sql(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
                     first_name = 'زهرا', last_name = 'کریمی',
                     father_name = 'علی' WHERE national_code = ?},
            $b->{person}{national_code});
    return $b;
}


# A letter's picture and its code.

sub file_of {
    my ($b) = @_;
    my $code = $b->send_letter(files =>
        [[ 'first.png', Portal::Browser::tiny_png(key()), 'image/png' ]]);

    return ($p->value('SELECT f.id FROM files AS f JOIN letters AS l
                           ON l.id = f.letter_id WHERE l.tracking_code = ?',
                      $code), $code);
}


sub piece {
    my ($b, $path, %headers) = @_;

    return $b->get($path, { Range => 'bytes=0-7', %headers })->status;
}


# A piece that is sent: of what is remembered, or of what PostgreSQL says,
# which has another name for it now.

sub source {
    my ($b, $path, %headers) = @_;
    my ($id) = $path =~ m{([^/]+)$};
    my $other = key();

    $p->sql('UPDATE files SET name = ? WHERE id = ?', "$other.png", lc $id);

    my $status = piece($b, $path, %headers);

    return $status == 206
           ? $b->header('Content-Disposition') =~ /\Q$other/ ? 'asked'
                                                             : 'remembered'
           : $status;
}


# The first reader behind the end of a right only sets a new stamp.

sub reading {
    my ($b, $path, $name) = @_;

    like(source($b, $path), qr/^(?:asked|remembered)$/, "$name: a piece")
        for 1 .. 2;
    is(source($b, $path), 'remembered', "$name: the next one is not asked for");
}


# What is remembered ------------------------------------------------------------

my $b = citizen();
my ($id, $code) = file_of($b);
my $path = "/desk/files/$id";

is($b->request(HEAD => $path, {})->status, 200, 'the header');
is(redis('--scan', '--pattern', "'rights:*'"), '', 'is no reading');
is(source($b, $path), 'asked', 'a piece');
is(source($b, $path), 'asked', 'a second one, which can be noted');
is($b->request(HEAD => $path, {})->status, 200, 'the header');
is(source($b, $path), 'remembered', 'a third one');
is($b->body, "\x89PNG\r\n\x1a\n", 'the same file');
is($b->header('Content-Type'), 'image/png', 'its type');
like($b->header('Content-Security-Policy'), qr/sandbox/, 'its policy');
$p->sql(q{UPDATE files SET visibility = 'internal' WHERE id = ?}, $id);
is($b->request(HEAD => $path, {})->status, 404, 'the header is always asked for');
$p->sql(q{UPDATE files SET visibility = 'citizen' WHERE id = ?}, $id);

my $other = citizen();
is(source($other, $path), 404, 'it is of the session that read');
my $twin = $p->browser->login_code(@{ $b->{person} }{qw(national_code mobile)});
is(source($twin, $path), 'asked', 'another session of the same person asks');

is(source($b, $path, 'X-Real-IP' => '10.0.0.7'), 'asked',
   'and another address');
is($p->value(q{SELECT count(DISTINCT address) FROM audit
                WHERE action = 'file_read' AND object_id = ?}, $id), 2,
   'each is a line of the audit');
is(source($b, $path), 'asked', 'one address is remembered');
is(source($b, '/desk/files/' . uc $id), 'remembered',
   'however its id is written');
is(piece($b, "/desk/files/$_"), 404, "not an id: $_")
    for 'x', "$id:", "$id%20", ('0' x 8) . '-0000-0000-0000-' . '0' x 12;

my @kept = redis('--scan', '--pattern', "'f:*:$id'");
chomp @kept;
is(scalar @kept, 2, 'one for each session');

for my $key (@kept) {
    my $left = redis('TTL', $key);

    ok($left > 0 && $left <= 60, 'for a while');
    unlike($key . redis('GET', $key), qr/\Q$_/, 'without its cookie')
        for map { $_->cookie('correspondence') } $b, $twin;
}


# Garbage is asked about, and what Redis lost.

my $stamp = redis('GET', 'rights:citizen');
chomp $stamp;

for my $text ('-', 'x', "$stamp 127.0.0.1", ' ' x 9, "$stamp 127.0.0.1  x y",
              '- 127.0.0.1 ' . 'a' x 64 . ' image/png x')
{
    redis('SET', $_, "'$text'") for @kept;
    is(source($b, $path), 'asked', "what says nothing: '$text'");
}

is(source($b, $path), 'remembered', 'noted again');
redis('DEL', @kept);
is(source($b, $path), 'asked', 'lost: asked for');
is(source($b, $path), 'remembered', 'and noted');
redis('DEL', 'rights:citizen');
is(source($b, $path), 'asked', 'the stamp alone lost: asked for');


# What comes and goes is asked for each time.

my $writer = citizen();

$writer->get('/desk/letters/new');
$writer->post('/desk/letters/check', { submission_key => key(),
    person_kind => 'natural', address => 'تهران', subject => 'پیش‌نویس',
    body => 'متن', file => [[ 'p.png', Portal::Browser::tiny_png(key()),
                              'image/png' ]] })->expect(303, 'a draft');

my ($draft) = $p->sql('SELECT id, draft_id FROM files
                        WHERE draft_id IS NOT NULL');

is(source($writer, "/desk/files/$draft->{id}"), 'asked', "a draft's, piece $_")
    for 1 .. 3;
$writer->post("/desk/letters/drafts/$draft->{draft_id}/discard", {})
       ->expect(303, 'thrown away');
is(piece($writer, "/desk/files/$draft->{id}"), 404, 'is gone with it');


# Citizens ------------------------------------------------------------------------

# Every function that ends sessions; each is tried below.

is(join(' ', map { $_->{proname} } $p->sql(
       q{SELECT proname FROM pg_proc
          WHERE pronamespace = 'correspondence'::regnamespace
            AND prosrc ~ 'session_epoch \+ 1|SET status = ''(displaced|blocked)'
          ORDER BY 1})),
   'mobile_verify password_set recover_password sessions_end signup_claim',
   'what ends the sessions of a person');


# Another device of the same person, at the page of all of them.

sub others {
    my ($b) = @_;

    return $p->browser
             ->login_code(@{ $b->{person} }{qw(national_code mobile)})
             ->get('/desk/sessions');
}


sub ends {
    my ($name, $act) = @_;
    my $reader = citizen();
    my ($id) = file_of($reader);
    my $path = "/desk/files/$id";
    my $there = others($reader);

    reading($reader, $path, $name);
    $act->($there, $reader->{person});
    is(piece($reader, $path), 303, "$name: the next piece is not sent");
    like($reader->header('Location'), qr{/login\?}, "$name: log in");
    return;
}


sub fresh { $p->browser->get($_[0]) }


sub coded {
    my ($b, $mobile, $seen) = @_;

    return $b->follow->submit({ code => $p->sms_code($mobile, $seen) })
             ->expect(303, 'code');
}


ends(sessions_end => sub {
    $_[0]->submit({}, 'form:has([name="all"])')->expect(303, 'the others');
});

# this one by itself, which is not there any more

ends('one of the sessions' => sub {
    $_[0]->submit({}, 'form:has([name="session_id"])')
         ->expect(303, 'that one');
});

ends(password_set => sub {
    $_[0]->set_password;
});

ends(mobile_verify => sub {
    my ($there) = @_;
    my $mobile = mobile();

    $p->secret($mobile);
    $there->get('/desk/profile/mobile')->submit({ mobile => $mobile })
          ->expect(303, 'a new mobile');
    coded($there, $mobile);
});

ends(recover_password => sub {
    my ($there, $person) = @_;
    my $seen = $p->last_message($person->{mobile});
    my $n = fresh('/recover')->submit({
        national_code => $person->{national_code},
        mobile => $person->{mobile} })->expect(303, 'recovery');

    coded($n, $person->{mobile}, $seen)->follow;
    $p->secret('درخت گردو در باغ');
    $n->submit({ new_password => 'درخت گردو در باغ' })
      ->expect(303, 'a new password');
});

ends(signup_claim => sub {
    my ($there, $person) = @_;
    my $mobile = mobile();
    my $n = fresh('/signup');
    my %birth;

    $p->secret($mobile);
    @birth{qw(birth_day birth_month birth_year)} = @{ $person->{birth} };
    $n->submit({ national_code => $person->{national_code},
                 mobile => $mobile, %birth })->expect(303, 'sign-up');
    coded($n, $mobile);
});

# Ended while PostgreSQL was being asked: what it said before is too old,
# whether or not there was a stamp to note it under.

for my $stamped (0, 1) {
    my $late = citizen();
    my $held = '/desk/files/' . (file_of($late))[0];
    my $lock = $p->db->clone;

    reading($late, $held, 'about to end');
    redis('DEL', redis('--scan', '--pattern', "'f:*'") =~ s/\n/ /gr);
    redis('DEL', 'rights:citizen') if !$stamped;
    $lock->begin_work;
    $lock->do('LOCK TABLE files IN ACCESS EXCLUSIVE MODE');

    my $s = $p->socket;

    print $s "GET $held HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-7\r\n"
        . 'Cookie: correspondence=' . $late->cookie('correspondence')
        . "\r\nConnection: close\r\n\r\n";
    ok(Portal::wait_until(10, sub {
        $p->value(q{SELECT count(*) FROM pg_stat_activity
            WHERE wait_event_type = 'Lock' AND query LIKE '%file_read%'})
    }), 'a reader who waits');
    others($late)->submit({}, 'form:has([name="all"])')
                 ->expect(303, 'the others');
    $lock->commit;
    like(do { local $/; <$s> }, qr{^HTTP/1.1 206}, 'who asked before gets it');
    is(piece($late, $held), 303, 'and nothing more');
}


# Nobody knows whether it was done: then it counts as if.

my $proxy = $p->proxy('postgres');
my $unsure = citizen();
my $theirs = '/desk/files/' . (file_of($unsure))[0];
my $ending = others($unsure);

reading($unsure, $theirs, 'an answer that gets lost');
$p->allow(qr/went away before its answer/);
$proxy->mode('lose');
$ending->submit({}, 'form:has([name="all"])');
$proxy->mode('pass');
is($ending->status, 503, 'nobody knows');
ok(Portal::wait_until(10, sub {
    $p->value(q{SELECT count(*) FROM audit WHERE action = 'sessions_ended'
        AND actor_id = (SELECT id FROM persons WHERE national_code = ?)},
        $unsure->{person}{national_code})
}), 'but it was done');
is(piece($unsure, $theirs), 303, 'and counts');


# Redis cannot be told: it is done all the same, and the log says what may be.

my $deaf = citizen();
my $on = '/desk/files/' . (file_of($deaf))[0];
my $setting = others($deaf);

reading($deaf, $on, 'without a word to Redis');
redis('ACL', 'SETUSER', 'default', '-del');
$setting->set_password;
redis('ACL', 'SETUSER', 'default', '+del');
like($p->log, qr/Redis was not told that a right may have ended/, 'the log');
is(source($deaf, $on), 'remembered', 'what was being read may be read on');
is(piece($deaf, '/desk/letters'), 303, 'though the session is over');


# A log-out takes the session itself.

my $leaver = citizen();
my $last = '/desk/files/' . (file_of($leaver))[0];

reading($leaver, $last, 'a log-out');
my $cookie = $leaver->cookie('correspondence');
$leaver->get('/desk')->post('/logout', {})->expect(303, 'a log-out');
is(piece($p->browser, $last, Cookie => "correspondence=$cookie"), 303,
   'a log-out: its cookie is worth nothing');


# The secretariat ------------------------------------------------------------------

my $clerk = $p->browser->clerk_login('clerk');
my $expert = $p->browser->clerk_login('expert');
my $manager = $p->browser->clerk_login('manager');
my $admin = $p->browser->clerk_login('admin');
my $clerks = "/clerk/files/$id";

reading($b, $path, 'a citizen');

sub version {
    return $p->value('SELECT version FROM letters WHERE tracking_code = ?',
                     $code);
}


# An expert, whose unit gives the letter back.

sub refers {
    $clerk->post("/clerk/letters/$code/refer", { submission_key => key(),
        version => version(),
        unit => $p->value("SELECT id FROM units WHERE code = 'technical'"),
        instruction => 'بررسی' })
          ->expect(303, 'referred');
    return $p->value(q{SELECT max(id) FROM referrals});
}

is(piece($expert, $clerks), 404, 'an expert: not without a referral');
my $referral = refers();
reading($expert, $clerks, 'an expert');
$expert->post("/clerk/referrals/$referral/return",
              { submission_key => key(), return_body => 'از ما نیست' })
       ->expect(303, 'returned');
is(piece($expert, $clerks), 404, 'an expert: not what the unit returned');
$referral = refers();
reading($expert, $clerks, 'referred again');
$clerk->post("/clerk/referrals/$referral/recall",
             { submission_key => key(), recall_body => 'اشتباه' })
      ->expect(303, 'recalled');
is(piece($expert, $clerks), 404, 'an expert: not what was recalled');
refers();
reading($expert, $clerks, 'and again');

# what takes nothing away, as often as it is done

$clerk->get('/clerk/')->submit({ q => 'درخواست' }, 'form:has(#q)')
      ->expect(303, 'a search');
$clerk->post("/clerk/letters/$code/draft", { body => 'پیش‌نویس' })
      ->expect(303, 'a draft of a reply');
$p->browser->get('/clerk/login')->submit({ username => 'x',
                                           password => 'y' });
is(source($expert, $clerks), 'remembered', 'the expert reads on');


# Whoever is someone else from now on.

my $expert_id = $p->value("SELECT id FROM staff WHERE username = ?",
                          $p->staff('expert')->{username});
my $manager_id = $p->value("SELECT id FROM staff WHERE username = ?",
                           $p->staff('manager')->{username});
my $legal = $p->value("SELECT id FROM units WHERE code = 'legal'");

$admin->get("/clerk/staff?edit=$expert_id");
$admin->submit({ unit => $legal })->expect(303, 'another unit');
is(piece($expert, $clerks), 404, 'an expert of another unit');

reading($manager, $clerks, 'a manager');
$admin->get("/clerk/staff?edit=$manager_id");
$admin->submit({ role => 'expert', unit => $legal })
      ->expect(303, 'another role');
is(piece($manager, $clerks), 404, 'a manager who is an expert now');
$admin->get("/clerk/staff?edit=$manager_id");
$admin->submit({ role => 'clerk', unit => '' })->expect(303, 'a clerk');

reading($manager, $clerks, 'as a clerk');
$admin->get("/clerk/staff/$manager_id/disable");
$admin->submit({}, 'form[action$="/disable"]')->expect(303, 'closed');
is(piece($manager, $clerks), 303, 'whose account was closed');

reading($admin, $clerks, 'an administrator');
$cookie = $admin->cookie('correspondence-clerk');
$admin->get('/clerk/')->post('/clerk/logout', {})->expect(303, 'log-out');
is(piece($p->browser, $clerks, Cookie => "correspondence-clerk=$cookie"), 303,
   'an administrator who left');

# what the secretariat does is nothing to a citizen who reads

is(source($b, $path), 'remembered', 'the citizen reads on');


# Nobody tells it: by itself, and soon ---------------------------------------------

$p->configure(http => "$address{http}    $memory 2s;\n");
$p->reload;
redis('FLUSHALL');
$b = citizen();
$path = '/desk/files/' . (file_of($b))[0];
reading($b, $path, 'two seconds');
$p->sql('UPDATE persons SET session_epoch = session_epoch + 1
          WHERE national_code = ?', $b->{person}{national_code});
sleep 2.1;
is(piece($b, $path), 303, 'then PostgreSQL is asked');


# Not at all -------------------------------------------------------------------------

$p->configure(http => "$address{http}    $memory 0;\n");
$p->reload;
$b = citizen();
$path = '/desk/files/' . (file_of($b))[0];
is(source($b, $path), 'asked', 'without a memory it is asked for') for 1 .. 3;
is(redis('--scan', '--pattern', "'f:*'"), '', 'and none is noted');
$p->sql('UPDATE persons SET session_epoch = session_epoch + 1
          WHERE national_code = ?', $b->{person}{national_code});
is(piece($b, $path), 303, 'nor sent to an ended session');
like(($p->test_conf(http => "    $memory 61s;\n"))[1],
     qr/between 0 and 60/, 'a minute at the most');

$p->done;
