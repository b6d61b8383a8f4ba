#!/usr/bin/perl

# Identity: what each answer of Shahkar and the registry does, and that
# nobody can squat on a national code.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my $p = Portal->new(http => "    correspondence_codes_per_address_hour 1000;\n");

sub summary {
    my ($page) = @_;

    return join ' | ', map { $_->all_text =~ s/\s+/ /gr =~ s/^ | $//gr }
        $page->dom->find('#error-summary li')->each;
}

sub field {
    my ($person, $column) = @_;

    return $p->value("SELECT $column FROM persons WHERE national_code = ?
                      AND status <> 'displaced'", $person->{national_code});
}

sub tag { map { $_->attr('class') =~ /tag-(\w+)/ } $_[0]->dom
          ->find('ol.tasks strong.tag')->each }


# What the page says first, when that is no success.

sub said {
    my $p = $_[0]->dom->at('.flash.note p') or return;
    return $p->text;
}


# Both say yes.

my $b = $p->browser;
my $person = $b->signup;

$b->get('/desk/letters/new');
is($b->path, '/desk/identity', 'level 1: the letter form is shut');
$b->follow;
is_deeply([ tag($b) ], [ 'open' ], 'one step open, one locked');
$b->post('/desk/identity/registry', {});
is($b->path, '/desk/identity', 'the second step does not come first');
is(field($person, 'registry_step'), 'open', 'nor was it asked');

$b->get('/desk/identity')->submit({}, 'form[action$="/identity/mobile"]');
is($b->follow->status, 200, 'Shahkar');
is_deeply([ tag($b) ], [ qw(yes open) ], 'said yes');
is(field($person, 'level'), 2, 'level 2');
$b->submit({}, 'form[action$="/identity/registry"]')->follow;
is_deeply([ tag($b) ], [ qw(yes yes) ], 'the registry said yes');
is(field($person, 'level'), 3, 'level 3');
my $name = field($person, 'first_name') . ' ' . field($person, 'last_name');
unlike($name, qr/[يك]/, 'names are folded');
like($b->get('/desk')->text, qr/\Q$name\E/, 'the desk shows the name');
is($b->get('/desk/letters/new')->status, 200, 'the letter form is open');
my @evidence = $p->sql('SELECT step, verdict, provider, provider_ref
                          FROM identity_evidence ORDER BY at');
is_deeply([ map { "$_->{step} $_->{verdict}" } @evidence ],
          [ 'mobile yes', 'registry yes' ], 'the evidence is kept');
ok($evidence[0]{provider_ref}, 'with the provider\'s id');
my $asked = $p->requests('shahkar');
$b->post('/desk/identity/mobile', {});
is(scalar $p->requests('shahkar'), $asked, 'a step that is through is not '
   . 'asked again');


# Every other answer.  delay is longer than the gateway's time-out.

my %want = (no => 'no', status => 'pending', garbage => 'pending',
            drop => 'pending', delay => 'pending');

for my $step (qw(mobile registry)) {
    my $service = $step eq 'mobile' ? 'shahkar' : 'registry';

    for my $kind (sort keys %want) {
        next if $step eq 'registry' && $kind eq 'delay';    # 15 s, as above

        my $b = $p->browser;
        my $person = $b->signup;

        if ($step eq 'registry') {
            $b->get('/desk');
            $b->post('/desk/identity/mobile', {});
        }

        $p->fault(service => $service, kind => $kind, seconds => 8,
                  status => 500, national_code => $person->{national_code});
        $b->get('/desk/identity')->submit({},
            qq(form[action\$="/identity/$step"]));
        is($b->status, 303, "$service $kind: no error page");
        $b->follow;
        is(field($person, "${step}_step"), $want{$kind},
           "$service $kind: $want{$kind}");
        is(field($person, 'level'), $step eq 'mobile' ? 1 : 2,
           "$service $kind: the level stays");
        is((tag($b))[$step eq 'mobile' ? 0 : 1], $want{$kind},
           "$service $kind: the page shows it");
        is(said($b), msg($want{$kind} eq 'no' ? "flash_${step}_step_no"
                                              : "${step}_step_unknown"),
           "$service $kind: and says it on top, as no success");
        $p->no_faults;

        next if $want{$kind} ne 'pending' || $kind eq 'delay';

        # asked again in the background

        my $seen = $p->last_message($person->{mobile});
        $p->db->do("UPDATE identity_tasks SET next_at = now()");
        ok(wait_until(12, sub { field($person, "${step}_step") eq 'yes' }),
           "$service $kind: asked again until it is through");
        ok($p->message($person->{mobile}, qr/./, $seen),
           "$service $kind: an SMS tells");
        is(said($b->get("/desk/identity?asked=$step")), undef,
           "$service $kind: the same page later says nothing old");
    }
}

# a wrong birth date is corrected

$b = $p->browser;
$person = $b->signup;
$b->get('/desk');
$b->post('/desk/identity/mobile', {});
$p->fault(service => 'registry', kind => 'no',
          national_code => $person->{national_code});
$b->get('/desk/identity')->submit({}, 'form[action$="/identity/registry"]')
  ->follow;
ok($b->dom->at('#birth_year'), 'registry no: the birth date is asked for');
is_deeply([ map { $b->dom->at($_)->{value} } '#birth_day', '#birth_year' ],
          [ map { fa($_) } @{ $person->{birth} }[0, 2] ],
          'with the one that was refused');
is($b->dom->at('#birth_month option[selected]')->{value},
   $person->{birth}[1], 'and its month');
$b->submit({ birth_day => 30, birth_month => 12, birth_year => 1367 });
is($b->status, 422, 'an unreal one');
is($b->error('birth_day'), 'خطا: ' . msg('birth_date_leap', year => 1367),
   'says so');
ok($b->dom->at('#birth_year'), 'and still asks');
$p->no_faults;
$b->submit({ birth_day => fa(1), birth_month => 1, birth_year => fa(1360) });
is($b->status, 303, 'another one');
is(field($person, 'birth_date::text') // field($person, 'birth_date'),
   '1981-03-21', 'is taken');
is(field($person, 'level'), 3, 'and it was right');

# the registry has the person as deceased

$b = $p->browser;
$person = $b->signup;
$b->get('/desk');
$b->post('/desk/identity/mobile', {});
$p->fault(service => 'registry', kind => 'dead',
          national_code => $person->{national_code});
$b->get('/desk/identity')->submit({}, 'form[action$="/identity/registry"]')
  ->follow;
is(field($person, 'registry_step'), 'no', 'deceased: a no');
is(field($person, 'registry_reason'), 'dead', 'with its reason');
is(field($person, 'level'), 2, 'the level stays');
is(field($person, 'first_name'), undef, 'and no name is taken');
like($b->text, qr/ثبت فوت دارد.*به دبیرخانه مراجعه کنید/,
     'the page says so, and what to do');
unlike($b->text, qr/با هم نمی‌خوانند/, 'and not that the birth date is wrong');
is($p->value(q{SELECT verdict FROM identity_evidence AS e
                 JOIN persons AS p ON p.id = e.person_id
                WHERE p.national_code = ? AND e.step = 'registry'},
             $person->{national_code}), 'no', 'the evidence is kept');
is($b->get('/desk/letters/new')->path, '/desk/identity', 'the form is shut');
ok($b->json('/desk/identity')->{is_dead}, 'JSON too');
$p->no_faults;
$b->get('/desk/identity')->submit({}, 'form[action$="/identity/registry"]');
is(field($person, 'level'), 3, 'a mistake of the registry that was mended');


# Squatting.  A code with an account, asked for from another mobile.

sub contest {
    my ($holder, $new, %fault) = @_;
    my $n = $p->browser;

    $n->get('/signup')->submit({ national_code => $holder->{national_code},
        mobile => $new, birth_day => 1, birth_month => 1,
        birth_year => 1360 })->follow;
    my $code = $p->sms_code($new);
    $p->fault(service => 'shahkar', mobile => $new, %fault) if %fault;
    $n->submit({ code => $code });
    $p->no_faults;
    return $n;
}

# nothing differs before

my @pages = map {
    my ($who, $n) = ($_, $p->browser);
    $n->get('/signup')->submit({ national_code => $who, mobile => mobile(),
        birth_day => 1, birth_month => 1, birth_year => 1360 });
    my $first = $n->status . $n->path . $n->body;
    $n->follow;
    $first . $n->tx->res->text =~ s/(name="csrf" value=")[^"]*/$1/gr
        =~ s/[۰-۹]{4}•••[۰-۹]{4}/MASK/gr =~ s/ساعت [۰-۹]+:[۰-۹]+/TIME/gr
} $person->{national_code}, national_code();
is($pages[0], $pages[1], 'before the code nothing tells of an account');

# no, unknown

for my $case ([ no => 'signup_claim_no' ], [ drop => 'signup_claim_unknown' ])
{
    my ($kind, $message) = @$case;
    my $b = $p->browser;
    my $holder = $b->signup;
    my $seen = $p->last_message($holder->{mobile});
    my $n = contest($holder, mobile(), kind => $kind);

    is($n->status, 422, "claim $kind: refused");
    is(summary($n), msg($message), "claim $kind: says what to do");
    ok(!$n->cookie('correspondence'), "claim $kind: nobody is logged in");
    is(field($holder, 'mobile'), $holder->{mobile},
       "claim $kind: the mobile stays");
    is($b->get('/desk')->status, 200, "claim $kind: the holder's session too");
    ok($p->message($holder->{mobile}, qr/./, $seen),
       "claim $kind: the holder is told");
}

# yes, of a holder who never passed Shahkar: an account that starts anew

$b = $p->browser;
my $squatter = $b->signup;
$b->get('/desk/profile')->submit({ address => 'of the squatter' });
my $old = $p->value('SELECT id FROM persons WHERE national_code = ?',
                    $squatter->{national_code});
my $mine = mobile();
my $seen = $p->last_message($squatter->{mobile});
my $n = contest($squatter, $mine);
is($n->path, '/desk?flash=signed_up', 'claim yes: logged in');
is(field($squatter, 'mobile'), $mine, 'the mobile is the account\'s');
isnt(field($squatter, 'id'), $old, 'a new account');
is(field($squatter, 'level'), 2, 'of level 2');
is($n->get('/desk/profile')->text =~ /squatter/, '', 'with nothing in it');
is($b->get('/desk')->status, 303, 'the squatter is out');
ok($p->message($squatter->{mobile}, qr/./, $seen), 'and is told');

# yes, of a proven owner with a new SIM: all stays

$b = $p->browser;
my $owner = $b->signup;
$b->identify;
$b->get('/desk/profile')->submit({ address => 'خیابان بهار' });
$old = field($owner, 'id');
$mine = mobile();
$seen = $p->last_message($owner->{mobile});
$n = contest($owner, $mine);
is($n->status, 303, 'a proven owner: logged in');
is(field($owner, 'id'), $old, 'the same account');
is(field($owner, 'mobile'), $mine, 'with the new mobile');
is(field($owner, 'address'), 'خیابان بهار', 'and all that was in it');
is($b->get('/desk')->status, 303, 'sessions of before are over');
ok($p->message($owner->{mobile}, qr/./, $seen), 'the old mobile is told');

# two at once, and Shahkar says yes to both: the last one has it, alone

my $owners = $n;

$b = $p->browser;

my $holder = $b->signup;
my @rivals = map { my $mobile = mobile(); my $n = $p->browser;
    $n->get('/signup')->submit({ national_code => $holder->{national_code},
        mobile => $mobile, birth_day => 1, birth_month => 1,
        birth_year => 1360 })->follow;
    { browser => $n, mobile => $mobile, code => $p->sms_code($mobile) } } 1, 2;

$p->fault(service => 'shahkar', kind => 'delay', seconds => 1,
          mobile => $_->{mobile}) for @rivals;
Mojo::Promise->all(map {
    $_->{browser}->ua->post_p($p->base . '/signup/code', form => {
        csrf => $_->{browser}->csrf, code => $_->{code} })
} @rivals)->then(sub {
    is($_->[0]->res->code, 303, 'two claims at once: an answer each') for @_;
    is($_->[0]->res->headers->location =~ s{^http://[^/]+}{}r,
       '/desk?flash=signed_up', 'Shahkar said yes to each') for @_;
})->catch(sub { fail "@_" })->wait;
$p->no_faults;

my @rows = $p->sql(q{SELECT status, mobile, owner_proven_at FROM persons
                      WHERE national_code = ?}, $holder->{national_code});
my ($has, @more) = grep { $_->{status} ne 'displaced' } @rows;

is(scalar @more, 0, 'there is one account');
is(scalar @rows, 2, 'and the one that was lost');
ok($has->{owner_proven_at}, 'its mobile is proven');

my @in = grep { $_->{browser}->get('/desk')->status == 200 } @rivals;

is(scalar @in, 1, 'one of them is in');
is($in[0]{mobile}, $has->{mobile}, 'with the mobile of the account');
is($b->get('/desk')->status, 303, 'the one before them is not');
is($p->value(q{SELECT count(*) FROM identity_evidence
                WHERE step = 'claim' AND verdict = 'yes'
                  AND national_code = ?}, $holder->{national_code}), 2,
   'the evidence of both is kept');

# the same code twice at once: one claim

$b = $p->browser;
$holder = $b->signup;
$mine = mobile();
$n = $p->browser;
$n->get('/signup')->submit({ national_code => $holder->{national_code},
    mobile => $mine, birth_day => 1, birth_month => 1, birth_year => 1360 })
  ->follow;

my $typed = $p->sms_code($mine);
my $cookies = join '; ', map { $_->name . '=' . $_->value }
                         @{ $n->ua->cookie_jar->all };
my %to;

Mojo::Promise->all(map {
    my $ua = Mojo::UserAgent->new(request_timeout => 30);

    $ua->proxy->http(undef);
    $ua->post_p($p->base . '/signup/code', { Cookie => $cookies },
                form => { csrf => $n->csrf, code => $typed })
       ->then(sub { $to{ $_[0]->res->headers->location
                         =~ s{^http://[^/]+}{}r }++; $ua })
} 1 .. 5)->catch(sub { fail "@_" })->wait;
is_deeply(\%to, { '/desk?flash=signed_up' => 1, '/signup?gone=1' => 4 },
          'a code five times at once: one claim');

# a blocked account lets nobody in, by no way

$p->db->do("UPDATE persons SET status = 'blocked' WHERE national_code = ?",
           undef, $owner->{national_code});
is($owners->get('/desk')->status, 303, 'blocked: no session');

for my $mobile ($mine, field($owner, 'mobile'), mobile()) {
    my $n = $p->browser;

    $p->db->do(q{UPDATE codes SET created_at = created_at - interval '1 day'});
    $n->get('/signup')->submit({ national_code => $owner->{national_code},
        mobile => $mobile, birth_day => 1, birth_month => 1,
        birth_year => 1360 });
    is($n->path, '/signup/code', 'blocked: a sign-up looks like any other');
    $n->follow->submit({ code => $p->sms_code($mobile) });
    is($n->status, 403, 'blocked: behind the code it is refused');
    like($n->text, qr/\Q@{[ msg('account_blocked') ]}\E/, 'in words');
    ok(!$n->cookie('correspondence'), 'and nobody is logged in');
    is(field($owner, 'status'), 'blocked', 'blocked it stays');

    $n = $p->browser;
    $n->get('/login/code')->submit({
        national_code => $owner->{national_code} });
    $n->follow->submit({ mobile => $mobile });
    is($n->path, '/login/code/verify', 'blocked: log-in by code looks so too');
    ok(!$p->value(q{SELECT count(*) FROM codes WHERE purpose = 'login'
                     AND person_id IS NOT NULL AND national_code = ?},
                  $owner->{national_code}), 'its code is for nobody');
}

# without gateways

$p->configure(without => [ 'shahkar', 'registry' ]);
$p->reload;
$b = $p->browser;
$person = $b->signup;
$b->get('/desk/identity');
like($b->text, qr/راه‌اندازی نشده/, 'no gateway: the form stays shut');
$n = contest($person, mobile());
is($n->status, 422, 'no gateway: a claim is refused');
is(summary($n), msg('signup_claim_unknown'), 'as unknown');

$p->done;
