#!/usr/bin/perl

# Under TLS as nginx.conf.example has it: cookies with __Host- and Secure, HSTS on every reply; a cookie of
# the name without the prefix is nobody's.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $dir = Portal::certificate();
my $port = Instance::free_port();
my $plain = Instance::free_port();
my $p = Portal->new(server => Portal::example_tls($port, $dir),
                    http => Portal::example_redirect($plain));
my $who = $p->browser->signup;

# the example as it stands

my $sent = $p->browser(base => "http://127.0.0.1:$plain")
           ->get('/clerk/login?x=1', { Host => 'desk.example.ir' });
is($sent->status, 301, 'plain HTTP goes on');
is($sent->header('Location'), 'https://desk.example.ir/clerk/login?x=1',
   'to the same address under TLS');
$sent = $p->browser(base => "http://127.0.0.1:$plain")
          ->get('/login', { Host => 'elsewhere.example' });
is($sent->header('Location'), 'https://desk.example.ir/login',
   'whatever name was asked for');

my $b = $p->browser(base => "https://127.0.0.1:$port",
                    ua => { insecure => 1 });

for my $path ('/login', '/desk', '/nowhere', '/clerk/login') {
    $b->get($path);
    is($b->header('Strict-Transport-Security'),
       'max-age=63072000; includeSubDomains', "$path: HSTS");
}

$b->login_code($who->{national_code}, $who->{mobile});
is($b->get('/desk')->status, 200, 'logged in under TLS');

my $token = $b->cookie('__Host-correspondence');
ok($token, 'the cookie has the prefix');
ok(!$b->cookie('correspondence'), 'and is there once');

my $n = $p->browser(base => "https://127.0.0.1:$port",
                    ua => { insecure => 1 });
$n->get('/login');
my @set = @{ $n->tx->res->headers->every_header('Set-Cookie') };
ok(scalar @set, 'a cookie');
like($_, qr{^__Host-[\w-]+=[\w-]+; Path=/; HttpOnly; SameSite=Lax; Secure},
     'with all its marks') for @set;
cmp_ok(length, '<', 4096, 'short') for @set;

$n = $p->browser(base => "https://127.0.0.1:$port", ua => { insecure => 1 });
is($n->get('/desk', { Cookie => "correspondence=$token" })->status, 303,
   'without the prefix it is nobody\'s');
is($n->get('/desk', { Cookie => "__Host-correspondence=$token" })->status,
   200, 'with it it is');

$p->done;
