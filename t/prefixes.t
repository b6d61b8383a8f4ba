#!/usr/bin/perl

# The portal beside a body's own site: citizens at /portal/, clerks at
# /office/, and the whole way through.  No address leads out of them.  What an
# administrator may write into a location ("if", "limit_except") changes
# nothing of it.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Texts;

my $p = Portal->new(
    captcha => 'on',
    server => "    location / { return 200 'the body\\'s own site'; }\n",
    replace => [ [ qr{location / \{\n}, "location /portal/ {\n"
                   . "limit_except GET { allow 127.0.0.1; deny all; }\n"
                   . "if (\$request_method = GET) { set \$if 1; }\n" ],
                 [ qr{location /clerk/ \{\n}, "location /office/ {\n" ] ]);

my %at = (citizen => '/portal', clerk => '/office');
my $b = $p->browser(base => $p->base . $at{citizen});
my $n = $p->browser(base => $p->base . $at{citizen});
my $clerk = $p->browser(base => $p->base . $at{clerk});


# Every address of a page is below its own prefix, and every file of it there.

my %fetched;

sub inside {
    my ($b, $kind, $what) = @_;
    my $prefix = qr{^$at{$kind}/};
    my @out;

    for my $e ($b->dom->find('[href], [src], [action], [formaction]')->each) {
        for my $name (qw(href src action formaction)) {
            my $to = $e->attr($name) // next;

            $to =~ s{^\Q@{[ $p->base ]}\E}{};
            push @out, "<@{[ $e->tag ]} $name=$to>"
                if $to !~ $prefix && $to !~ /^(?:[#?]|tel:|mailto:|$)/;

            next if $e->tag !~ /^(?:link|script|img)$/ || $fetched{$to}++;
            push @out, "no $to"
                if $p->browser->get($to)->status !~ /^(?:200|303)$/
                   && $to =~ /assets/;
        }
    }

    is(join("\n", @out), '', "$what: all addresses below $at{$kind}");
    return $b;
}


is($n->get('/')->status, 200, 'the home page');
inside($n, 'citizen', 'the home page');
ok((grep { /assets/ } keys %fetched), 'with files of its own');
is($p->browser->get($_)->body, "the body's own site", "$_ is the body's")
    for '/', '/desk', '/clerk/', '/portals/';
is($n->get('/clerk/')->status, 404, 'no clerks among the citizens');
is($clerk->get('/desk')->status, 404, 'no citizens among the clerks');
is($n->get('/desk')->path, '/portal/login?next=%2Fdesk', 'to the log-in');
inside($n->follow, 'citizen', 'the log-in');


# Sign-up, identity, a letter.

my $who = $b->signup;

is($b->tx->req->url->path, '/portal/desk', 'signed up, on the desk');
inside($b, 'citizen', 'the desk');
$b->set_password;
$b->identify;
is($p->value('SELECT level FROM persons'), 3, 'identified');

my $sent = $p->last_message($who->{mobile});

inside($b->get('/desk/letters/new'), 'citizen', 'the form');
is($b->get($b->dom->at('.captcha img')->attr('src') =~ s{^/portal}{}r)->status,
   200, 'the picture');
$b->get('/desk/letters/new');
$b->submit({ person_kind => 'natural', address => 'تهران', body => 'متن',
             subject => 'درخواست', file => [[ 'a.png',
                 Portal::Browser::tiny_png('prefix'), 'image/png' ]],
             captcha => $p->captcha_answer(
                 $b->dom->at('[name="captcha_id"]')->val) },
           'form[enctype]');
like($b->path // '', qr{^/portal/desk/letters\?sent=\d+$}, 'sent')
    or diag $b->text;

my ($code) = $b->path =~ /(\d+)$/;

inside($b->follow, 'citizen', 'the list');
like($p->message($who->{mobile}, qr/$code/, $sent)->{text}, qr/$code/,
     'the SMS');
inside($b->get("/desk/letters/$code"), 'citizen', 'the letter');
is($p->browser->get($b->dom->at('a[href*="/desk/files/"]')->attr('href'))->path,
   '/portal/login?next=' . '%2Fdesk%2Ffiles%2F'
   . $p->value(q{SELECT id FROM files WHERE purpose = 'letter'}),
   'its file, for nobody');


# The receipt, whose address anybody opens.

inside($b->get("/desk/letters/$code/receipt"), 'citizen', 'the receipt');

my $url = $b->dom->at('.qr a')->attr('href');

like($url, qr{^\Q@{[ $p->base ]}\E/portal/verify/$code/[0-9a-z]{12}$},
     'its address');
is($b->json("/desk/letters/$code/receipt")->{verify_url}, $url, 'as data');
is($n->get($url)->status, 200, 'which is there');
like($n->text, qr/این رسید اصل است/, 'and knows it');
$p->secret($url =~ m{([^/]+)$});
inside($n, 'citizen', 'that page');
$n->get('/track')->submit({ tracking_code => $code,
                            mobile_last4 => substr $who->{mobile}, -4 });
is($n->status, 200, 'tracking');
inside($n, 'citizen', 'tracking');


# The secretariat.

my $admin = $p->browser(base => $p->base . $at{clerk});

is($clerk->get('/')->path =~ s/\?.*//r, '/office/login', 'the clerks\' door');

for my $case ([ $clerk, 'clerk' ], [ $admin, 'admin' ]) {
    my ($b, $role) = @$case;
    my $staff = $p->staff($role);

    inside($b->get('/login'), 'clerk', 'the clerks\' log-in');
    $b->submit({ username => $staff->{username},
                 password => $staff->{password} })->expect(303, 'password');
    like($b->path, qr{^/office/login/totp}, "$role: the second step");
    $b->follow->submit({ code => $p->totp($staff) })->expect(303, 'code');
    like($b->path, qr{^/office/(?:\?|$)}, "$role: the inbox");
    inside($b->follow, 'clerk', "$role: the inbox");
}

inside($clerk->get("/letters/$code"), 'clerk', 'the letter');

my $at = $clerk->dom->at('.viewer img')->attr('src');

like($at, qr{^/office/files/}, 'the scan');
is($clerk->get($p->base . $at)->status, 200, 'is shown');
is($b->get($p->base . $at)->status, 303, 'not to a citizen');
$clerk->post('/search', { q => $code });
like($clerk->path, qr{^/office/\?.*s=}, 'a search');
like($clerk->follow->body, qr{"/office/letters/$code"}, 'finds it');

$clerk->get("/letters/$code");
$clerk->post("/letters/$code/take", {
    submission_key => 'a' x 32, version => $p->value(
        'SELECT version FROM letters') })->expect(303, 'take');
like($clerk->path, qr{^/office/letters/$code}, 'taken');

$sent = $p->last_message($who->{mobile});
$clerk->post("/letters/$code/reply", {
    submission_key => 'b' x 32, final => 1, body => 'پاسخ شما',
    version => $p->value('SELECT version FROM letters') })
    ->expect(303, 'reply');
like($clerk->path, qr{^/office/}, 'answered');
ok($p->message($who->{mobile}, qr/پاسخ.*$code/s, $sent), 'an SMS tells');
like($b->get("/desk/letters/$code")->text, qr/پاسخ شما/,
     'the citizen reads it');
inside($b, 'citizen', 'the answer');


# An invitation.

$admin->post('/staff', { submission_key => 'c' x 32, name => 'نفر تازه',
                         username => 'new', role => 'clerk', unit => '' });
is($admin->status =~ /^(?:200|303)$/, 1, 'somebody is invited');
$admin->follow;

my ($link) = $admin->body =~ m{(http://\S*?/invitations/[\w-]{43})};

like($link // '', qr{^\Q@{[ $p->base ]}\E/office/invitations/}, 'the link');
$p->secret($link =~ m{([^/]+)$}) if $link;
is($p->browser->get($link)->status, 200, 'opens') if $link;

is($b->post('/logout', {})->path, '/portal/login?flash=logged_out',
   'logged out');
is($clerk->post('/logout', {})->path =~ s/\?.*//r, '/office/login',
   'the clerk as well');

$p->done;
