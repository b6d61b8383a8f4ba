#!/usr/bin/perl

# The portal's key is changed at any hour: whoever is logged in, has a form
# open or waits for a code notices nothing, on one node or on two.  When the
# old file goes, what was made with it ends as things usually end.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Mojo::URL;
use Portal;
use Portal::Texts;

sub limits {
    return (http => "    correspondence_misbehaviour $_[0];\n"
                  . "    correspondence_login_rate 1000;\n");
}

my $p = Portal->new(captcha => 'on', limits(1000));
my $i = $p->instance;
my $redis = "redis-cli -s $i->{sockets}/redis.sock";
my ($old, $new) = map { $p->dir . "/keys/$_.key" } 'portal', 'second';

$i->write_file($new, Instance::random_bytes(32), 0600);


# The key files from now on, the current one first.

sub keys_are {
    my (@files) = @_;

    $p->configure(replace => [ [ qr/correspondence_key_file .*;/m,
                                 "correspondence_key_file @files;" ] ]);
    $p->reload or die "nginx does not reload\n";
}


# A second node: the same configuration, but for its port and its keys.

my $other_port;

sub start_other {
    my (@files) = @_;
    my $conf = Instance::slurp($p->dir . '/nginx/nginx.conf');
    my $dir = $p->dir;

    $other_port = Instance::free_port();
    $conf =~ s{^( +listen +\S+:)\d+;}{$1$other_port;}mg;
    $conf =~ s{^pid .*;}{pid $dir/nginx/other.pid;}m;
    $conf =~ s{correspondence_key_file .*;}{correspondence_key_file @files;};
    $i->write_file("$dir/nginx/other.conf", $conf, 0600);
    $i->spawn('other', 'TERM', $i->{nginx}, '-p', "$dir/nginx", '-c',
              "$dir/nginx/other.conf", '-e', "$dir/logs/error.log");
    Instance::wait_for(20, sub {
        Instance::answers($other_port, '/health', 200) })
        or die "the other node does not answer\n";
}


# The open form goes to a node; which one the next pages come from.

sub node { $_[0]->{base} = "http://localhost:$_[1]"; return $_[0] }

sub send_to {
    my ($b, $port, $values, $selector) = @_;
    my $form = $b->form($values, $selector) // $b->fail('no such form');
    my $path = Mojo::URL->new($form->attr('action'))->path;

    return node($b, $port)->post("$path", { %{ Portal::Browser::preset($form) },
                                            %$values });
}


sub person {
    my $b = $p->browser;
    my $me = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $me->{national_code});
    $b->set_password;
    return $b;
}


sub again {
    my ($b) = @_;

    return $p->browser->login(@{ $b->{person} }{qw(national_code password)});
}


# A log-in by code, as far as the page where it is typed.

sub ask_code {
    my ($b, $who) = @_;
    my $seen = $p->last_message($who->{mobile});

    $p->db->do("UPDATE codes SET created_at = created_at - interval '1 h'");
    $b->get('/login/code')->submit({ national_code => $who->{national_code} });
    $b->follow->submit({ mobile => $who->{mobile} })->follow;
    return $p->sms_code($who->{mobile}, $seen);
}


sub letter {
    return { person_kind => 'natural', address => 'یزد', body => 'متن',
             file => [ [ 'a.png', Portal::Browser::tiny_png(),
                         'image/png' ] ], subject => $_[0] };
}


sub captcha {
    my ($b) = @_;

    return (captcha => $p->captcha_answer(
        $b->dom->at('[name="captcha_id"]')->attr('value')));
}


sub sessions_of { @{ $_[0]->json('/desk/sessions')->{sessions} } }

sub tracked {
    my ($subject) = @_;

    return $p->value('SELECT count(*) FROM letters WHERE subject = ?',
                     $subject);
}

sub half_clerk {
    my ($role) = @_;
    my $b = $p->browser;
    my $who = $p->staff($role);

    $b->get('/clerk/login')->submit({ username => $who->{username},
                                      password => $who->{password} });
    return $b->expect(303, 'clerk password')->follow;
}

sub totp_key {
    return $p->value(q{SELECT encode(substr(totp_secret, 2, 4), 'hex')
                         FROM staff WHERE username = ?}, $_[0]);
}


# Commands that Redis was asked since the last time.

sub asked {
    my ($name) = @_;
    our %before;
    my ($n) = `$redis info commandstats` =~ /cmdstat_$name:calls=(\d+)/;
    my $since = ($n // 0) - ($before{$name} // 0);

    $before{$name} = $n // 0;
    return $since;
}


# What is open when the key is changed.

my $writer = person();
my $leaver = person();
my $keeper = person();
my ($ended, $stays) = map { again($writer) } 1, 2;
my ($by_code, $wrong, $stranger) = map { $p->browser } 1 .. 3;
my $code = ask_code($by_code, $keeper->{person});
my $half = half_clerk('clerk');
my $clerk = $p->browser->clerk_login('expert');
my $clerk_key = totp_key('clerk');

ask_code($wrong, $leaver->{person});

$stranger->get('/signup')->expect(200, 'the form of a stranger');

my ($victim) = grep { !$_->{is_current} } sessions_of($ended);
my $count = () = sessions_of($writer);

$stays->get('/desk/sessions');
$writer->get('/desk/letters/new')->expect(200, 'the letter form');

my $picture = $writer->dom->at('[data-captcha] img')->attr('src');
my $drawn = $writer->get($picture)->body;

$writer->get('/desk/letters/new');

# one whose fields are wrong, with its file kept

$keeper->get('/desk/letters/new');
$keeper->submit({ %{ letter('با فایل') }, address => '', captcha($keeper) })
       ->expect(422, 'a form to be corrected');

# one whose session ended: it waits for its person

$leaver->get('/desk/letters/new');
{
    my %typed = (%{ Portal::Browser::preset($leaver->form({},
                    'form[enctype]')) }, %{ letter('نشست تمام شد') },
                 captcha($leaver));
    my $end = again($leaver);
    my ($id) = map { $_->{session_id} } grep { !$_->{is_current} }
               sessions_of($end);

    $end->get('/desk/sessions')->post('/desk/sessions',
                                      { session_id => $id });
    $leaver->post('/desk/letters', \%typed);
    like($leaver->path, qr{^/login\?.*ended=1}, 'a letter of nobody');
}

my $unknown = national_code();

sub mask {
    my $b = $p->browser;

    $b->get('/login/code')->submit({ national_code => $unknown })->follow;
    return $b->body =~ /((?:\xdb[\xb0-\xb9]){4}(?:\xe2\x80\xa2){3}
                         (?:\xdb[\xb0-\xb9]){4})/x ? $1 : undef;
}

my $mask = mask();

ok($mask, 'somebody unknown has a mask');

asked('getex');
$stays->get('/desk')->expect(200, 'the desk');
is(asked('getex'), 1, 'one file: Redis is asked for one name');


keys_are($old, $new);
is($stays->get('/desk')->status, 200, 'the new file stands second');
keys_are($new, $old);


subtest 'the key was changed' => sub {
    $writer->submit({ %{ letter('پیش از کلید') }, captcha($writer) });
    like($writer->path, qr/sent=\d+/, 'a letter that was open has its code');
    is(tracked('پیش از کلید'), 1, 'and is there');
    is($writer->follow->get('/desk')->status, 200, 'its session goes on');

    asked('getex');
    $writer->get('/desk');
    is(asked('getex'), 2, 'asked for under both names');

    $keeper->submit({ address => 'یزد', captcha($keeper) }, 'form[enctype]');
    is($keeper->status, 303, 'a form that was being corrected');
    is($p->value(q{SELECT file_count FROM letters WHERE subject = 'با فایل'}),
       1, 'with the file that it kept');

    $leaver->follow->login(@{ $leaver->{person} }{qw(national_code password)});
    $leaver->get('/desk/letters/new')->follow;
    is($leaver->dom->at('[name="subject"]')->attr('value'), 'نشست تمام شد',
       'a letter of nobody has found its person');

    $stranger->submit({ national_code => national_code(), mobile => mobile(),
                        birth_day => 1, birth_month => 1,
                        birth_year => 1360 });
    is($stranger->path, '/signup/code', 'a stranger\'s form');

    $wrong->submit({ code => '000000' });
    is($wrong->status, 422, 'a wrong code is wrong');
    is($p->value(q{SELECT tries FROM codes WHERE national_code = ?
                    ORDER BY created_at DESC LIMIT 1},
                 $leaver->{person}{national_code}), 1, 'and one try');
    $by_code->submit({ code => $code });
    is($by_code->path, '/desk', 'a code asked for before lets in');
    is($by_code->follow->status, 200, 'to the desk');

    is(mask(), $mask, 'somebody unknown has the same mask');
};


subtest 'sessions of before' => sub {
    my @sessions = sessions_of($writer);

    is(scalar @sessions, $count, 'all are listed');
    is(scalar(grep { $_->{is_current} } @sessions), 1, 'one is this one');

    my ($id) = map { $_->{session_id} } grep { $_->{is_current} }
               sessions_of($ended);

    is($ended->get('/desk')->status, 200, 'another one lives');
    $stays->post('/desk/sessions', { session_id => $id });
    is($stays->follow->flash, msg('flash_session_ended'), 'it is ended');
    is($ended->get('/desk')->path, '/login?ended=1&next=%2Fdesk', 'and over');
    is(scalar sessions_of($writer), $count - 1, 'and not listed');
    ok(grep({ $_->{session_id} eq $victim->{session_id} }
            sessions_of($writer)), 'the others have the names they had');

    my $third = again($writer);

    $third->get('/desk/sessions')->post('/desk/sessions', { all => 1 });
    is($_->get('/desk')->status, 303, 'all are ended by a new one')
        for $writer, $stays;

    my ($name) = split /\n/, `$redis --scan --pattern 's:*' | wc -l`;

    $by_code->get('/desk/sessions')->post('/logout', {});
    is($by_code->get('/desk')->status, 303, 'logged out');
    $keeper->login(@{ $keeper->{person} }{qw(national_code password)});
    is(`$redis --scan --pattern 's:*' | wc -l` + 1, $name,
       'who logs in again leaves no session of before');

    $writer->login(@{ $writer->{person} }{qw(national_code password)});
};


subtest 'clerks' => sub {
    is($clerk->get('/clerk/')->status, 200, 'one who is logged in stays');

    my $staff = $p->staff('clerk');

    $half->submit({ code => '000000' });
    is($half->status, 422, 'a wrong code');
    is(totp_key('clerk'), $clerk_key, 'encrypts nothing anew');
    $half->submit({ code => $p->totp($staff) });
    is($half->path, '/clerk/', 'half way in, the code lets in');
    isnt(totp_key('clerk'), $clerk_key, 'and is encrypted anew');
    is(totp_key('expert'), $clerk_key, 'others are not yet');
    $p->browser->clerk_login('clerk');
    is($p->value(q{SELECT count(*) FROM staff_browsers AS b
                     JOIN staff AS s ON s.id = b.staff_id
                    WHERE s.username = 'expert'}), 1, 'one browser');
    $clerk->post('/clerk/logout', {});
    $clerk->clerk_login('expert');
    is($p->value(q{SELECT count(*) FROM staff_browsers AS b
                     JOIN staff AS s ON s.id = b.staff_id
                    WHERE s.username = 'expert'}), 1, 'stays the same one');
    isnt(totp_key('expert'), $clerk_key, 'another one encrypted anew');
};


subtest 'a picture of before' => sub {
    my $b = again($writer);

    $b->get('/desk/letters/new');

    my ($id) = $b->dom->at('[data-captcha] img')->attr('src')
               =~ m{/captcha/([\w-]+)\.png};

    isnt($b->get("/captcha/$id.png")->body, $drawn, 'is another');
    $b->get('/desk/letters/new');
    $b->submit({ %{ letter('رقم') }, captcha => '11111' });
    is($b->status, 422, 'a wrong answer is wrong');
};


# Node one has the new key first, node two the old one; each understands the
# other.

start_other($old, $new);

subtest 'two nodes in the middle of it' => sub {
    my ($one, $two) = ($p->port, $other_port);

    for my $way ([ $one, $two, 'new', 'old' ], [ $two, $one, 'old', 'new' ]) {
        my ($from, $to, $made, $read) = @$way;
        my $b = node($p->browser, $from);
        my $how = "$made, then $read";

        $b->login(@{ $writer->{person} }{qw(national_code password)});
        is(node($b, $to)->get('/desk')->status, 200, "$how: a session");

        node($b, $from)->get('/desk/letters/new');
        send_to($b, $to, { %{ letter($how) }, $made eq 'old' ? captcha($b)
                                                             : () },
                'form[enctype]');

        # only the old key's digits are known to the test

        if ($made eq 'old') {
            like($b->path, qr/sent=\d+/, "$how: a letter");

        } else {
            is($b->status, 422, "$how: a form");
            ok($b->error('captcha'), "$how: but for the digits");
        }

        my $c = node($p->browser, $from);
        my $code = ask_code($c, $writer->{person});

        send_to($c, $to, { code => $code });
        is($c->path, '/desk', "$how: a code");

        my $s = node($p->browser, $from);

        $s->get('/signup');
        send_to($s, $to, { national_code => national_code(),
                           mobile => mobile(), birth_day => 1,
                           birth_month => 1, birth_year => 1360 });
        is($s->path, '/signup/code', "$how: a stranger's form");
        is($s->follow->status, 200, "$how: and its next page");
    }
};

$i->stop_one('other', [ QUIT => 15 ]);


# Faults about a number are counted on.

subtest 'faults' => sub {
    my $number = national_code();
    my $fault = sub {
        $p->browser->get('/login')->submit({ national_code => $number,
                                             password => 'x' });
        system("$redis del faults:127.0.0.1 >/dev/null");
    };
    my $needs = sub {
        my $b = $p->browser->get('/login/code');

        return $b->submit({ national_code => $_[0] })->error('captcha');
    };

    $p->configure(limits(3));
    keys_are($old);
    $fault->() for 1, 2;
    keys_are($new, $old);
    $fault->();
    ok($needs->($number), 'two before and one behind are three');
    system("$redis del faults:127.0.0.1 >/dev/null");
    ok(!$needs->(national_code()), 'for that number only');
    $p->configure(limits(1000));
};


# The old file goes.

keys_are($old);

my $late = again($writer);

$late->get('/desk/letters/new');

my %typed = (%{ Portal::Browser::preset($late->form({}, 'form[enctype]')) },
             %{ letter('دیر') });
my $waiting = $p->browser;
my $stale = ask_code($waiting, $writer->{person});
my $manager = half_clerk('manager');
my $signing = $p->browser->get('/signup');

keys_are($new, $old);

my $fresh = again($writer);

keys_are($new);

subtest 'the old file is gone' => sub {
    is($fresh->get('/desk')->status, 200, 'a session of the new one lives');
    $late->post('/desk/letters', \%typed);
    is($late->status, 403, 'an old form is refused');
    is($late->get('/desk')->path, '/login?ended=1&next=%2Fdesk',
       'one of the old one is over');
    like($late->follow->flash, qr/نشست شما پایان یافته است/, 'as it is told');
    $waiting->submit({ code => $stale });
    is($waiting->status, 403, 'so is the one of a code');
    $waiting->get('/login/code/verify')->submit({ code => $stale });
    is($waiting->status, 422, 'and the code is wrong');
    $signing->submit({ national_code => national_code(), mobile => mobile(),
                       birth_day => 1, birth_month => 1,
                       birth_year => 1360 });
    is($signing->status, 403, 'a stranger\'s form is refused');

    like($manager->get('/clerk/login/totp')->path, qr{^/clerk/login},
         'half a clerk begins anew');
    is(half_clerk('clerk')->submit({ code => $p->totp($p->staff('clerk')) })
           ->path, '/clerk/', 'a clerk who has logged in meanwhile is let in');
    is(half_clerk('manager')->submit({
           code => $p->totp($p->staff('manager')) })->status, 422,
       'one who has not needs a new link');
};

$p->done;
