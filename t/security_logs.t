#!/usr/bin/perl

# Links that open something by themselves stand in no log: not in the lines
# of what nginx refused before the portal saw it, nor of what it sent on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;

my %port = map { $_ => Instance::free_port() } qw(plain closed);
my $p = Portal->new(start => 0, level => 'notice');
my $dir = $p->dir;

$p->configure(
    server => <<'END',
        rewrite  ^/elsewhere/(.*)  /verify/12345674/$1  last;
END
    http => <<"END");
    log_format  all  '"\$request" \$request_uri \$uri \$status';
    access_log  $dir/logs/access.log  all;

    limit_req_zone   \$server_port  zone=one:64k  rate=1r/m;
    limit_conn_zone  \$request_uri  zone=two:64k;

    server {
        listen  127.0.0.1:$port{plain};
        return  301 https://\$host\$request_uri;
    }

    server {
        listen  127.0.0.1:$port{closed};

        error_page  400 403  /refused;

        location / {
            limit_req       zone=one;
            limit_conn      two 1;
            correspondence  citizen;
        }

        location /clerk/ {
            deny  all;
            correspondence  clerk;
        }

        location = /refused {
            internal;
            return  403 "no\\n";
        }
    }
END
$p->start_nginx;

sub token { join '', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 36 }

# By path: what is asked for, and what logs have.

sub ask {
    my ($where, $path, $method) = @_;
    my $token = token();
    my $b = $p->browser(
        base => $where && "http://127.0.0.1:$port{$where}");

    $p->secret($token);
    $b->request($method // 'GET', $path =~ s/TOKEN/$token/r, {});
    return ($b, $token);
}

my ($b, $token) = ask(plain => '/verify/12345674/TOKEN');

is($b->status, 301, 'sent on to https');
is($b->header('Location'), "https://127.0.0.1/verify/12345674/$token",
   'with its whole address');

ok(wait_until(5, sub {
    $p->log('access') =~ m{^"GET\ /verify/\{code\}/\{seal\}\ HTTP/1\.1"
                           \ /verify/\{code\}/\{seal\}
                           \ /verify/\{code\}/\{seal\}\ 301$}mx
}), 'the log has the name of the route instead') or diag $p->log('access');

for my $case (
    [ 403, closed => '/clerk/invitations/TOKEN', 'refused by address' ],
    [ 403, closed => '/clerk/invitations/TOKEN?a=b', 'with arguments' ],
    [ 403, closed => '/clerk/invi%74ations//TOKEN', 'written otherwise' ],
    [ 403, closed => '/clerk/invitations/TOKEN/', 'with more behind it' ],
    [ 403, closed => '/clerk/invitations/TOKEN', 'as HEAD', 'HEAD' ],
    [ 404, closed => '/verify/12345674/TOKEN', 'the one in a minute' ],
    [ 503, closed => '/verify/12345674/TOKEN', 'refused by rate' ],
    [ 404, undef, '/verify/12345674/TOKEN', 'at the portal' ],
    [ 404, undef, '/verify/12345674/TOKEN/more', 'at no route' ],
    [ 405, undef, '/clerk/invitations/TOKEN', 'by another method', 'PUT' ],
    [ 404, undef, '/elsewhere/TOKEN', 'rewritten' ])
{
    my ($status, $where, $path, $what, $method) = @$case;

    ($b) = ask($where, $path, $method);
    is($b->status, $status, $what);
}

# before any of its phases, as one without a certificate that has to have one

sub ask_badly {
    my ($where, $path, @headers) = @_;
    my $token = token();
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', Timeout => 5,
                                PeerPort => $where ? $port{$where} : $p->port)
        or die "nginx: $@\n";

    $p->secret($token);
    $path =~ s/TOKEN/$token/;
    print $s join("\r\n", "GET $path HTTP/1.1", @headers,
                  'Connection: close', '', '');
    return join('', <$s>) =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'nothing';
}

my %bad = ('an invalid host' => ['Host: a/b'], 'no host' => [],
           'a long cookie' => ['Host: a', 'Cookie: a=' . 'a' x 20_000]);

for my $what (sort keys %bad) {
    is(ask_badly(undef, '/clerk/invitations/TOKEN', @{ $bad{$what} }), 400,
       "$what, at the portal");
    is(ask_badly('plain', '/verify/12345674/TOKEN?a', @{ $bad{$what} }), 400,
       "$what, elsewhere");
}

is(ask_badly('closed', '/clerk/invitations/TOKEN', 'Host: a/b'), 400,
   'refused early, with a page of its own');

for my $where (undef, 'closed') {
    ask_badly($where, '/clerk/invitations/TOKEN', 'Host: a',
              "Referer: a\e[31mred\x7f\xc2\x9b0");
}

like($p->log, qr{referrer: "a\?\[31mred\?\?\?0"},
     'the error log has what they say they come from');
unlike($p->log, qr{\e|\x7f|\x9b}, 'and no commands of terminals');

like($p->log, qr{access\ forbidden\ by\ rule,.*
                 request:\ "GET\ /clerk/invitations/\{token\}\ HTTP/1\.1"}x,
     'the error log says where, not what');
like($p->log, qr{limiting\ requests,.*
                 request:\ "GET\ /verify/\{code\}/\{seal\}\ HTTP/1\.1"}x,
     'of limits as well');

# other addresses are left as they are

$p->browser->get('/verify?a=b');
ok(wait_until(5, sub {
    $p->log('access') =~ m{"GET /verify\?a=b HTTP/1\.1" /verify\?a=b /verify 404}
}), 'other lines are as ever');

$p->done;
