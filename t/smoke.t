#!/usr/bin/perl

# nginx takes the module and its configuration, answers, reloads and stops;
# a mistake in the configuration is told with file and line.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my $p = Portal->new;
my $b = $p->browser;

is($b->get('/')->status, 200, 'the home page');
like($b->header('Content-Type'), qr{^text/html; charset=utf-8$}i,
     'is HTML in UTF-8');
is($b->dom->at('html')->attr('dir'), 'rtl', 'from right to left');
is($b->get('/no/such/page')->status, 404, 'no such page');
is($b->get('/health')->status, 200, 'health');
is($b->get('/metrics')->status, 200, 'metrics');
like($b->get('/clerk/login')->text, qr/\p{Arabic}/, 'the clerks have theirs');

my %wrong = (
    'an unknown directive' => [ http => "    correspondence_nonsense on;\n" ],
    'a bad value' => [ replace => [ [ qr/correspondence_captcha off;/,
                                      'correspondence_captcha perhaps;' ] ] ],
    'an interval of nothing' => [
        http => "    correspondence_relay_interval 0;\n" ],
    'a subject the database does not take' => [
        http => "    correspondence_subject_max 301;\n" ],
    'an address with a path' => [ replace => [
        [ qr/correspondence_url .*;/,
          'correspondence_url https://example.ir/portal;' ] ] ],
    'no such html' => [ replace => [ [ qr/correspondence_html .*;/,
                                       'correspondence_html /nowhere;' ] ] ],
    'an SMS that takes too many parts' => [
        http => "    correspondence_sms_parts 1;\n", replace => [
            [ qr/correspondence_url .*;/, 'correspondence_url https://'
              . 'a-very-long-name-of-a-ministry.example.ir;' ] ] ],
    'no key file' => [ replace => [ [ qr/correspondence_key_file .*;/,
                                      'correspondence_key_file /none;' ] ] ],
);

# Without a line of their own in the file: what is missing altogether.

my @missing = (
    [ 'no gateway of messages', [ without => [ 'sms' ] ],
      qr/"correspondence citizen" needs a "correspondence_gateway sms"/ ],
);

for my $case (@missing) {
    my ($what, $change, $says) = @$case;
    my ($ok, $said) = $p->test_conf(@$change);

    ok(!$ok, "$what is refused");
    like($said, $says, "$what: in words");
}

# Each with the line of the directive, not that of the end of the block.

my @lines = (
    [ 'connections=0', [ replace => [ [ qr/(correspondence_postgres [^;]*);/,
                                        sub { "$1 connections=0;" } ] ] ],
      qr/invalid parameter "connections=0"/, qr/connections=0/ ],
    [ 'timeout=0', [ replace => [ [ qr/(correspondence_postgres [^;]*);/,
                                    sub { "$1 timeout=0;" } ] ] ],
      qr/invalid parameter "timeout=0"/, qr/timeout=0/ ],
    [ 'an address without a scheme', [ replace => [
        [ qr/correspondence_url .*;/, 'correspondence_url example.ir;' ] ] ],
      qr/is not http:/, qr/correspondence_url / ],
    [ 'an unknown pool', [ replace => [
        [ qr/correspondence_disk_thread_pool .*;/,
          'correspondence_disk_thread_pool nowhere;' ] ] ],
      qr/unknown thread pool "nowhere"/, qr/_disk_thread_pool / ],
    [ 'a location with a regular expression', [ replace => [
        [ qr{location /clerk/ \{}, 'location ~ ^/clerk/ {' ] ] ],
      qr/not with a regular expression/, qr/correspondence +clerk/ ],
    [ 'a Redis user without a password', [ replace => [
        [ qr/^(    correspondence_redis [^;]*);/m,
          sub { "$1 user=portal;" } ] ] ],
      qr/"user=" without "password_file="/, qr/correspondence_redis/ ],
    [ 'a sentinel without a master', [ replace => [
        [ qr/^(    correspondence_redis [^;]*);/m,
          sub { "$1 sentinel=127.0.0.1;" } ] ] ],
      qr/"sentinel=" without "master="/, qr/correspondence_redis/ ],
);

for my $case (@lines) {
    my ($what, $change, $says, $line) = @$case;
    my ($ok, $said, $conf) = $p->test_conf(@$change);
    my ($n) = $said =~ /nginx\.conf:(\d+)/;

    ok(!$ok, "$what is refused");
    like($said, $says, "$what: in words");
    like((split /\n/, $conf)[($n // 0) - 1] // '', $line, "$what: its line");
}

{
    my $secret = $p->dir . '/secrets/kavenegar.key';

    ok(-e $secret, 'a secret of a gateway');
    chmod 0644, $secret;

    my ($ok, $said) = $p->test_conf;

    ok(!$ok, 'that others may read is refused');
    like($said, qr/secret file "\S+": may be read or written by others/,
         'with its name');
    chmod 0600, $secret;
}

{
    my ($ok, $said) = $p->test_conf(replace => [
        [ qr/^\s*resolver [^;]*;/m, '' ],
        [ qr{POST http://127\.0\.0\.1:\d+}, 'POST https://a.example.ir' ] ]);

    ok($ok, 'a host by name without a resolver is taken') or diag $said;
    like($said, qr/\[warn\].* has a host by name, and no "resolver"/,
         'with a warning');
}

for my $what (sort keys %wrong) {
    my ($ok, $said) = $p->test_conf(@{ $wrong{$what} });

    ok(!$ok, "$what is refused");
    like($said, qr/\[emerg\].* in \S+nginx\.conf:\d+/,
         "$what: file and line");
}

# Passwords and keys in files: nothing is cut, nothing is taken for none.

my $secret = "$p->{dir}/keys/other";

for my $case ([ 'an empty password', '', 0600, 'is empty' ],
              [ 'a line end alone', "\n", 0600, 'is empty' ],
              [ 'a long one', 'x' x 65537, 0600, 'is too large' ],
              [ 'one with a NUL', "a\0b\n", 0600, 'holds a NUL' ],
              [ "one that others read", "a\n", 0644, 'read or written by' ],
              [ 'one that is right', "a\n", 0600, undef ])
{
    my ($what, $text, $mode, $why) = @$case;

    $p->instance->write_file($secret, "$text", $mode);

    for my $of ([ Redis => qr/^(    correspondence_redis [^;]*);/m,
                  sub { "$1 password_file=$secret;" } ],
                [ PostgreSQL => qr/(correspondence_postgres\s+"[^"]*)"/,
                  sub { qq{$1 password_file=$secret"} } ])
    {
        my ($ok, $said) = $p->test_conf(replace => [ [ @$of[1, 2] ] ]);

        is(!!$ok, !$why, "$what of $of->[0]") or diag $said;
        like($said, qr{secret file "\Q$secret\E": .*\Q$why\E.*nginx\.conf:\d+},
             'why and where') if $why;
    }
}

$p->instance->write_file($secret, 'x' x 4097, 0600);

my ($taken, $reason) = $p->test_conf(replace => [
    [ qr/correspondence_key_file .*;/, "correspondence_key_file $secret;" ] ]);

ok(!$taken, 'a key file of which some would be left out');
like($reason, qr/is too large/, 'why');
unlink $secret;

my ($ok, $said) = $p->test_conf;

ok($ok, 'the right configuration is taken') or diag $said;
unlike($said, qr/\[(?:warn|error)\]/, 'without a warning') or diag $said;

$p->configure(replace => [ [ qr/correspondence_contact .*;/,
                             'correspondence_contact "تلفن ۰۲۱ <b>";' ] ]);

my ($old) = $p->workers;

ok($p->reload, 'a reload');
is($b->get('/signup')->dom->at('footer p bdi')->text,
   Mojo::Util::decode('UTF-8', 'تلفن ۰۲۱ <b>'),
   'the line of contact, as text');
$p->configure(replace => [ [ qr/correspondence_contact .*;/, '' ] ]);
$p->reload;
is($b->get('/signup')->dom->find('footer p bdi')->size, 0,
   'no line of contact when none is configured');
isnt(($p->workers)[0], $old, 'has a new worker');
is($b->get('/')->status, 200, 'that answers');

$p->done;
