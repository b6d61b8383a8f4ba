#!/usr/bin/perl

# docs/redis.conf: a Redis with these very lines, whose user may say what
# the module says and nothing else.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use Portal;

my $top = "$FindBin::RealBin/..";
my $text = Instance::slurp("$top/docs/redis.conf");


# Every command of the sources is in the list, every one of the list in the
# sources.

my ($list) = $text =~ /^# user correspondence on (.*)$/m
    or die "docs/redis.conf has no user\n";
my %allowed = map { uc, 1 } $list =~ /\+(\w+)/g;
my %said = (AUTH => 1);

for my $file ("$top/src/io/redis.c", glob("$top/src/*/*.c"),
              glob("$top/src/*.c"))
{
    my $source = Instance::slurp($file);

    $said{$1} = 1 while $source =~ /argv\[0\] = CORR_STR\("([A-Z]+)"\)/g;
    $said{$1} = 1 while $source =~ /redis\.call\('([A-Z]+)'/g;
    $said{$1} = 1 while $source =~ /corr_str_t\s+\w+ = CORR_STR\("([A-Z]+)"\)/g;
}

# to a Sentinel, which is another server
delete $said{SENTINEL};
is_deeply([ sort keys %allowed ], [ sort keys %said ],
          'the list is what the module says');


my $p = Portal->new(start => 0, captcha => 'on');
my $i = $p->instance;
my $dir = $p->dir . '/redis2';
my $socket = "$i->{sockets}/acl.sock";
my $password = 'what nobody guesses';

$i->own_dir($dir);
$text =~ s/SHA256 resetchannels/sha256_hex($password) . ' resetchannels'/e;
$text =~ s{^unixsocket .*}{unixsocket $socket}m;
$text =~ s/^# (user )/$1/mg;
$i->write_file("$dir/redis.conf", $text . "dir $dir\n"
               . "user looks on >x ~* +\@all\n", 0600);
$i->write_file("$dir/password", $password, 0600);
$i->spawn('redis2', 'TERM', 'redis-server', "$dir/redis.conf");
$i->wait_ready('redis2', 20, sub { -S $socket });
$p->configure(replace => [ [ qr/correspondence_redis .*;/m,
    "correspondence_redis unix:$socket user=correspondence "
    . "password_file=$dir/password db=1;" ] ]);
$p->start_nginx;

sub ask { qx(redis-cli -s $socket --user looks --pass x --no-auth-warning @_) }


# Sessions, throttles, captchas, searches.

my $b = $p->browser;
my $who = $b->signup;

$b->identify;
$b->set_password;

$b->get('/desk/letters/new')->expect(200, 'letter form');

my %letter = (person_kind => 'natural', address => 'تهران', body => 'متن',
    subject => 'درخواست',
    file => [ [ 'a.png', Portal::Browser::tiny_png('x'), 'image/png' ] ]);

is($b->submit({ %letter, captcha => '00000' })->status, 422,
   'a wrong captcha');

my $id = $b->dom->at('[name=captcha_id]')->val;

is($b->submit({ %letter, captcha => $p->captcha_answer($id) })->status, 303,
   'a letter with its captcha') or diag $b->text;

my $other = $p->browser;

$other->login($who->{national_code}, $who->{password});
is($other->get('/desk')->status, 200, 'another session');
$b->get('/desk/sessions');

my ($first) = grep { !$_->{is_current} }
              @{ $b->json('/desk/sessions')->{sessions} };
is($b->post('/desk/sessions', { session_id => $first->{session_id} })->status,
   303, 'ends');
is($other->get('/desk')->status, 303, 'and is over');

my $clerk = $p->browser->clerk_login('clerk');

is($clerk->post('/clerk/search', { q => 'درخواست' })->status, 303, 'a search');
is($clerk->follow->status, 200, 'and what it found');
$clerk->post('/clerk/logout');
$b->get('/desk');
$b->post('/logout');
is($b->get('/desk')->status, 303, 'logged out');

is(ask('ACL LOG 10') =~ s/\s//gr, '', 'no command was refused');
is(ask('CONFIG GET save') =~ s/\s+/ /gr, 'save ', 'no snapshots');
like(ask('CONFIG GET maxmemory-policy'), qr/noeviction/, 'no eviction');
like(qx(redis-cli -s $socket PING 2>&1), qr/NOAUTH/, 'nobody else comes in');
like(qx(redis-cli -s $socket --user correspondence --pass '$password' --no-auth-warning KEYS '*' 2>&1),
     qr/NOPERM/, 'and its user does nothing else');

$p->done;
