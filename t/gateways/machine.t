#!/usr/bin/perl

# How gateways are asked: tokens, retries, limits, health, TLS and proxies,
# and what is refused when nginx reads its configuration.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use File::Temp qw(tempdir);
use IO::Socket::IP;
use Mojo::File;
use Mojo::IOLoop;
use Mojo::Server::Daemon;
use Mojolicious;
use Portal::Doubles;
use Portal::Memory;
use Portal::Probe;
use Test::More;
use Time::HiRes qw(sleep time);

my $d = Portal::Doubles->new;
my $dir = tempdir(CLEANUP => 1);
my %ask = (national_code => '1234567891', mobile => '09121234561',
           birth_date => '1370/02/03');
my $matching = '/api/client/.*matching';


sub probe {
    my ($conf, %o) = @_;
    $d->forget;
    $d->quiet;
    return Portal::Probe->new(conf => $conf, %o,
        secrets => { %Portal::Doubles::secrets, %{ $o{secrets} // {} } });
}


sub count { my @r = $d->requests($_[0]); return scalar @r }

sub token_says {
    my ($token, $life, %more) = @_;
    return (path => '/oauth/token', json => { access_token => $token,
            token_type => 'bearer', expires_in => $life }, %more);
}


# One that the double knows.

sub good_token {
    return $d->{ua}->post("$d->{base}/oauth/token",
        { Authorization => 'Basic '
              . Mojo::Util::b64_encode('pgsb:client', '') },
        form => { grant_type => 'password', username => 'correspondence',
                  password => 'p&ss=w%rd' })->res->json->{access_token};
}


subtest 'one token for all who wait' => sub {
    my $p = probe($d->conf('pgsb'));
    my $token = good_token();

    $d->forget;
    $d->say(token_says($token, 3600, delay => 0.5));
    my @r = $p->ask_all(map { [ shahkar => \%ask ] } 1 .. 20);
    is grep({ $_->{verdict} eq 'yes' } @r), 20, 'all have their answer';
    is count('/oauth/token'), 1, 'one token was fetched';
    is +$p->status->[0]{tokens}, 1, 'and counted';
    $p->done;
};

subtest 'a 401 renews once and repeats once' => sub {
    my $p = probe($d->conf('pgsb'));
    $p->ask(shahkar => \%ask);
    $d->say(path => $matching, status => 401, json => {}, times => 1);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'renewed';
    is count('/oauth/token'), 2, 'a second token';
    is count($matching), 3, 'asked again once';

    my ($again) = ($d->requests('/oauth/token'))[1];
    is $again->{form}{grant_type}, 'refresh_token', 'by the refresh token';

    $d->forget;
    $d->say(path => $matching, status => 401, json => {});
    is $p->ask(shahkar => \%ask)->{verdict}, 'unknown', '401 for ever';
    is count($matching), 2, 'twice and no more';
    $p->done;
};

subtest 'a refresh token that has ended' => sub {
    my $p = probe($d->conf('pgsb'));
    $p->ask(shahkar => \%ask);
    $d->say(path => '/oauth/token', status => 400,
            json => { error => 'invalid_grant' }, times => 1);
    $d->say(path => $matching, status => 401, json => {}, times => 1);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'from the beginning';
    my @t = $d->requests('/oauth/token');
    is_deeply [ map { $_->{form}{grant_type} } @t ],
              [ qw(password refresh_token password) ], 'in this order';
    $p->done;
};

subtest 'renewed before it ends' => sub {
    my $p = probe($d->conf('pgsb'));
    my $end;

    # the double knows only its own tokens: take one of them

    $p->ask(shahkar => \%ask);
    my $sent = good_token();

    $d->say(path => $matching, status => 401, json => {}, times => 1);
    $d->say(token_says($sent, 4, times => 1));
    $p->ask(shahkar => \%ask);
    $d->forget;

    $end = time + 4.3;

    while (time < $end) {
        is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'asked';
        sleep 0.3;
    }

    is count('/oauth/token'), 1, 'a new one came before the end';
    $p->ask(shahkar => \%ask);
    my @bad = grep { $_->{verdict} ne 'yes' }
              $p->ask_all(map { [ shahkar => \%ask ] } 1 .. 3);
    is_deeply \@bad, [], 'and nobody noticed';
    $p->done;
};

subtest 'no token' => sub {
    my $p = probe($d->conf('pgsb'), secrets => { 'pgsb.password' => 'a wrong one' });
    my $r = $p->ask(shahkar => \%ask);
    is $r->{verdict}, 'unknown', 'unknown';
    is $r->{reason}, 'token', 'why';
    is count($matching), 0, 'nothing was asked';
    $p->ask(shahkar => \%ask) for 1 .. 5;
    is count('/oauth/token'), 1, 'and the provider is left in peace';
    $p->done;
};

subtest 'retries: connection faults, 429, busy codes; nothing else' => sub {
    my $p = probe($d->conf('zibal'));
    my $path = '/v1/facility/shahkarInquiry';

    $d->say(path => $path, status => 429, text => '', times => 2);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', '429 twice, then yes';
    is count($path), 3, 'three requests';

    $d->forget;
    $d->say(path => $path, json => { result => 45, message => '' },
            times => 1);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'busy by its own code';
    is count($path), 2, 'two requests';

    for my $say ([ status => 500, text => '' ], [ drop => 1 ],
                 [ json => { result => 29 } ])
    {
        $d->forget;
        $d->quiet;
        $d->say(path => $path, @$say);
        is $p->ask(shahkar => \%ask)->{verdict}, 'unknown', "@$say[0, 1]";
        is count($path), 1, 'one request';
    }

    $p->done;

    my $dead = Portal::Probe::free_port();
    my $conf = $d->conf('zibal') =~ s/127\.0\.0\.1:\d+/127.0.0.1:$dead/gr;
    $p = probe($conf);
    my $r = $p->ask(shahkar => \%ask);
    is $r->{reason}, 'connect', 'nobody listens';
    is $r->{doubt}, Mojo::JSON->false, 'nothing was asked';
    is +$p->status->[0]{retries}, 2, 'tried three times';
    $p->done;
};

subtest 'the next provider' => sub {
    my $p = probe($d->conf('zohal', 'zibal'));
    my $first = '/api/v0/services/inquiry/shahkar';

    is $p->ask(shahkar => \%ask)->{provider}, 'zohal', 'the first one';
    $d->say(path => $first, status => 500, text => '');
    my @who = map { $p->ask(shahkar => \%ask) } 1 .. 8;
    is grep({ $_->{verdict} eq 'yes' } @who), 8, 'always an answer';
    is $who[-1]{provider}, 'zibal', 'from the other one';
    my $asked = count($first);
    cmp_ok $asked, '<', 6, 'the sick one is passed over';

    $d->quiet;
    is $p->ask(shahkar => { %ask, mobile => '09121234560' })->{verdict},
       'no', 'a no is a no, whoever says it';
    $p->done;

    # a message: only when it is certain that the first did not take it

    $p = probe($d->conf('ippanel', 'ghasedak'));
    my %m = (mobile => '09121234561', text => 'x', local_id => 5);

    $d->say(path => '/v1/api/send', status => 503, text => '', times => 1);
    my $r = $p->ask(sms => \%m);
    is $r->{verdict}, 'unknown', 'an unknown one stays';
    is count('/v2/sms/send/simple'), 0, 'with the first';
    $d->say(path => '/v1/api/send', status => 401,
            json => { meta => { status => \0 } }, times => 1);
    is $p->ask(sms => \%m)->{provider}, 'ghasedak', 'a refused one goes on';
    $p->done;
};

subtest 'budget and rate' => sub {
    my $conf = $d->conf('ghasedak')
               =~ s/(sms ghasedak \{)/$1\n    budget 4;/r;
    my $p = probe($conf, workers => 2);
    my %m = (mobile => '09121234561', text => 'x', local_id => 5);
    my @r = map { $p->ask(sms => \%m) } 1 .. 6;

    is grep({ $_->{verdict} eq 'yes' } @r), 4, 'four a day, of all workers';
    is $r[-1]{reason}, 'none', 'then none';
    is $r[-1]{doubt}, Mojo::JSON->false, 'for certain';
    my ($s) = grep { $_->{name} eq 'ghasedak' } @{ $p->status };
    is $s->{used}, 4, 'counted';

    for my $part (50, 75, 100) {
        like $p->log_text, qr/has used $part% of its budget of 4/,
             "told at $part%";
    }

    # what was used is not forgotten by a reload

    $p->signal('HUP');
    sleep 0.5;
    is $p->ask(sms => \%m)->{verdict}, 'unknown', 'nor after a reload';
    $p->done;

    $p = probe($d->conf('ghasedak') =~ s/(sms ghasedak \{)/$1\n    rate 3;/r);
    $p->ask(sms => \%m);
    my $start = time;
    @r = $p->ask_all(map { [ sms => \%m ] } 1 .. 9);
    is grep({ $_->{verdict} eq 'yes' } @r), 9, 'all go out';
    cmp_ok time - $start, '>', 1.9, 'three a second';
    $p->done;
};

subtest 'more than go out in time' => sub {
    my $p = probe($d->conf('ghasedak') =~ s/timeout\s+10s/timeout 1s/gr
                  =~ s/(sms ghasedak \{)/$1\n    rate 1; retries 0;/r);
    my %m = (mobile => '09121234561', text => 'x', local_id => 5);
    my @r = $p->ask_all(map { [ sms => \%m ] } 1 .. 20);
    my @late = grep { $_->{verdict} ne 'yes' } @r;

    cmp_ok scalar @late, '>', 5, 'some wait for their second in vain';
    is_deeply [ grep { $_->{reason} ne 'rate' || $_->{doubt} } @late ], [],
              'nothing was asked, and that is why';
    my ($s) = grep { $_->{name} eq 'ghasedak' } @{ $p->status };
    is $s->{errors}, 0, 'the gateway is as well as before';
    $p->done;
};

subtest 'time-outs' => sub {
    my $p = probe($d->conf('zibal') =~ s/timeout\s+20s/timeout 1s/gr);
    $d->say(path => '/v1/facility/shahkarInquiry', delay => 20);
    my $start = time;
    is $p->ask(shahkar => \%ask)->{reason}, 'timeout', 'a slow one';
    cmp_ok time - $start, '<', 3, 'does not hold us';
    $p->done;

    $p = probe($d->conf('zibal'), http => 'gateway_page_timeout 2s;');
    $d->say(path => '/v1/facility/shahkarInquiry', delay => 20);
    $start = time;
    is $p->ask(shahkar => \%ask)->{reason}, 'timeout',
       'nor longer than a page waits';
    cmp_ok time - $start, '<', 3, 'all together';
    $p->done;
};

subtest 'more than was asked for' => sub {
    my $p = probe($d->conf('zibal') =~ s/timeout /max_response 1k; timeout /gr);
    my $path = '/v1/facility/shahkarInquiry';
    $d->say(path => $path, json => { result => 1, data => { matched => \1 },
            x => 'y' x 5000 });
    is $p->ask(shahkar => \%ask)->{reason}, 'too_large', 'too large';
    $d->quiet;
    $d->say(path => $path, status => 302,
            headers => { Location => "$d->{base}$path" },
            json => { result => 1, data => { matched => \1 } });
    is $p->ask(shahkar => \%ask)->{verdict}, 'unknown',
       'a redirect is not followed, and is no yes';
    is count($path), 2, 'really';
    $p->done;
};

# What is sent is put together for each request: no copy stays in memory that
# was freed.

subtest 'credentials do not stay in memory' => sub {
    my $p = probe($d->conf('pgsb', 'kavenegar'));

    for my $n (1 .. 3) {
        is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'asked';
        $d->say(path => $matching, status => 401, json => {}, times => 1);
        is $p->ask(sms => { mobile => '09121234561', local_id => 500 + $n,
                            text => 'کد: 482913', code => '482913' })
           ->{verdict}, 'yes', 'sent';
    }

    my $memory = memory_of($p->workers);
    my %line = (
        'an Authorization with a token' => qr/Bearer access\d/,
        'one with a password' => qr/\QBasic cGdzYjpjbGllbnQ=\E/,
        'the form of a token' => qr/correspondence&password=p%26ss/,
        'a token as it came' => qr/"(?:access|refresh)_token":/,
        'an address with a key' => qr{v1/kavekey/sms},
    );

    SKIP: {
        skip 'its memory cannot be read', 1 + keys %line if !defined $memory;

        ok $memory =~ /kavekey/, 'what the configuration has is there';

        for my $what (sort keys %line) {
            my @seen = $memory =~ /([[:print:]]{0,40}(?:$line{$what}))/ag;
            is_deeply \@seen, [], "not $what";
        }
    }

    $p->done;
};

# On a connection that is kept, an answer too many would be taken for that of
# the next question: of another person.

subtest 'an answer too many is nobody\'s' => sub {
    my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 9,
                                     ReuseAddr => 1) or die;
    my $port = $listen->sockport;
    my $pid = fork // die;

    if (!$pid) {
        my $say = sub {
            my ($c, $matched) = @_;
            my $body = qq({"result":1,"data":{"matched":$matched}});
            syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: "
                         . length($body) . "\r\n\r\n$body";
        };

        while (my $c = $listen->accept) {
            next if fork;

            while (sysread $c, my $head, 8192) {
                $say->($c, $head =~ /0912\d{6}1/ ? 'true' : 'false');
                select undef, undef, undef, 0.1;
                $say->($c, 'true');
            }

            POSIX::_exit(0);
        }
    }

    my $p = probe($d->conf('zibal')
                  =~ s{http://127\.0\.0\.1:\d+}{http://127.0.0.1:$port}gr);
    my @said;

    for my $last (1, 0, 1, 0, 0) {
        push @said, $p->ask(shahkar => { %ask,
            mobile => "0912123456$last" })->{verdict};
        sleep 0.3;
    }

    is_deeply \@said, [ qw(yes no yes no no) ], 'each has its own';
    $p->done;
    kill TERM => $pid;
    waitpid $pid, 0;
};

# TLS, a client's certificate, a proxy, a resolver of its own.

subtest 'TLS and its certificates' => sub {
    my $ok = !system(qq{cd $dir && exec >/dev/null 2>&1
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
        for n in server client; do
          openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout \$n.key -out \$n.csr
          printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' > ext
          openssl x509 -req -in \$n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out \$n.pem
        done});
    ok $ok, 'certificates are made' or return;

    my $port = Portal::Probe::free_port();
    my $pid = fork // die;

    if (!$pid) {
        my $app = Mojolicious->new(mode => 'production');
        $app->log->level('fatal');
        $app->routes->any('/*x' => sub { $_[0]->render(json => {
            result => 1, data => { matched => Mojo::JSON->true } }) });
        Mojo::Server::Daemon->new(app => $app, silent => 1, listen => [
            "https://127.0.0.1:$port?cert=$dir/server.pem&key=$dir/server.key"
            . "&ca=$dir/ca.pem&verify=0x03" ])->run;
        POSIX::_exit(0);
    }

    sleep 1.2;
    my $conf = $d->conf('zibal') =~ s{http://127\.0\.0\.1:\d+}{https://127.0.0.1:$port}gr;
    my $with = sub { $conf =~ s/timeout /$_[0]\n    timeout /gr };

    my $p = probe($conf);
    is $p->ask(shahkar => \%ask)->{reason}, 'tls', 'an unknown CA';
    $p->done;

    $p = probe($with->("ca $dir/ca.pem;"));
    isnt $p->ask(shahkar => \%ask)->{verdict}, 'yes',
         'without the certificate it wants';
    $p->done;

    $p = probe($with->("ca $dir/ca.pem; certificate $dir/client.pem "
                       . "$dir/client.key;"));
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'with both';
    $p->done;

    my ($t, $said) = probe($with->("certificate $dir/client.pem "
                                   . "$dir/server.key;"))->check;
    ok !$t, 'a key of another certificate is refused';

    $p = probe($with->('ca secrets/ca.pem; certificate secrets/client.pem '
                       . 'secrets/client.key;'),
               secrets => { map { $_ => Mojo::File->new($dir, $_)->slurp }
                            qw(ca.pem client.pem client.key) });
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes',
       'by names relative to nginx.conf';

    chmod 0644, "$p->{dir}/secrets/client.key";
    ($t, $said) = $p->check;
    ok !$t, 'a key that others may read is refused';
    like $said, qr{secret file "\S+/client\.key": may be read or written by},
         'with its name';
    $p->done;
    kill TERM => $pid;
    waitpid $pid, 0;
};

subtest 'a proxy' => sub {
    my $port = Portal::Probe::free_port();
    my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1',
        LocalPort => $port, Listen => 5, ReuseAddr => 1) or die;
    my $pid = fork // die;

    if (!$pid) {
        my $c = $listen->accept;
        sysread $c, my $head, 8192;
        my $body = '{"result":1,"data":{"matched":'
            . ($head =~ m{^POST http://provider\.test/v1/facility/shahkarInquiry HTTP/1\.1\r\n}
               ? 'true' : 'false') . '}}';
        syswrite $c, "HTTP/1.1 200 OK\r\nContent-Length: "
            . length($body) . "\r\nConnection: close\r\n\r\n$body";
        close $c;
        POSIX::_exit(0);
    }

    my $p = probe($d->conf('zibal')
        =~ s{http://127\.0\.0\.1:\d+}{http://provider.test}gr
        =~ s/timeout /insecure_http on; proxy http:\/\/127.0.0.1:$port;\n    timeout /gr);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'by the proxy';
    $p->done;
    waitpid $pid, 0;
};

subtest 'a resolver of its own' => sub {
    require IO::Socket::INET;
    my $dns = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1');
    my $port = $dns->sockport;
    my $pid = fork // die;

    if (!$pid) {
        # answers every question for an address with 127.0.0.1

        while (my $from = $dns->recv(my $q, 512)) {
            my $end = index($q, "\0", 12) + 5;
            my $type = unpack 'n', substr $q, $end - 4, 2;
            my $a = $type == 1 ? "\xc0\x0c" . pack('nnNna4', 1, 1, 60, 4,
                                       "\x7f\0\0\1") : '';
            $dns->send(substr($q, 0, 2) . "\x81\x80\0\1"
                . pack('n', $a ? 1 : 0) . "\0\0\0\0"
                . substr($q, 12, $end - 12) . $a, 0, $from);
        }
        POSIX::_exit(0);
    }

    my $p = probe($d->conf('zibal')
        =~ s{http://127\.0\.0\.1:(\d+)}{http://provider.internal:$1}gr
        =~ s/timeout /insecure_http on; resolver 127.0.0.1:$port ipv6=off;\n    timeout /gr);
    is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'found by it';
    $p->done;
    kill TERM => $pid;
    waitpid $pid, 0;

    $p = probe($d->conf('zibal')
        =~ s{http://127\.0\.0\.1:(\d+)}{https://provider.internal:$1}gr);
    is $p->ask(shahkar => \%ask)->{reason}, 'resolve', 'without one: not';
    $p->done;
};

# In which order directives come makes no difference.

subtest 'a Content-Type of its own' => sub {
    my $type = "header Content-Type 'application/x-own; charset=utf-8';";
    my $json = q(json '{"mobile":"$mobile"}';);
    my %m = (mobile => '09121234561', text => 'x', local_id => 5);

    for my $lines ("$type $json", "$json $type", $json) {
        my $p = probe("correspondence_gateway sms { "
                      . "request POST $d->{base}/x; yes a 1; $lines }");

        $d->say(path => '/x', json => { a => 1 });
        is $p->ask(sms => \%m)->{verdict}, 'yes', 'taken';
        is +($d->requests('/x'))[0]{headers}{'Content-Type'},
           $lines eq $json ? 'application/json'
                           : 'application/x-own; charset=utf-8',
           "one: $lines";
        $p->done;
    }
};

subtest 'ids that cannot be kept' => sub {
    my $p = probe("correspondence_gateway sms { request POST $d->{base}/x; "
                  . "form a=b; yes a 1; take id id; }");
    my %m = (mobile => '09121234561', text => 'x', local_id => 5);

    for my $case ([ 'x-1', 'x-1' ], [ "a\0b", '' ], [ "a\nb", '' ],
                  [ '9' x 257, '' ], [ 12345678901234567, '12345678901234567' ])
    {
        my ($id, $kept) = @$case;

        $d->quiet;
        $d->say(path => '/x', json => { a => 1, id => $id });
        my $r = $p->ask(sms => \%m);
        is $r->{verdict}, 'yes', 'taken';
        is $r->{reference}, $kept, 'its id: ' . ($kept || 'none');
        is $r->{taken}{id} // '', $kept, 'nowhere';
    }

    $p->done;
};

subtest 'words of a token in any order' => sub {
    my $token = "POST $d->{base}/t ";
    my @words = (q(json '{"get":"it"}'), 'take t',
                 q(refresh r '{"again":"$refresh_token"}'),
                 'header Content-Type application/json');

    for my $words (join(' ', @words), join(' ', reverse @words)) {
        my $p = probe("correspondence_gateway shahkar { request POST "
                      . "$d->{base}/x; form a=b; header X \$token; yes a 1; "
                      . "token $token $words; }");

        $d->say(path => '/t', json => { t => 'one', r => 'q"1' });
        $d->say(path => '/x', json => {}, status => 401, times => 1);
        $d->say(path => '/x', json => { a => 1 });
        is $p->ask(shahkar => \%ask)->{verdict}, 'yes', 'asked';
        is_deeply [ map { [ $_->{body}, $_->{headers}{'Content-Type'} ] }
                    $d->requests('/t') ],
                  [ [ '{"get":"it"}', 'application/json' ],
                    [ '{"again":"q\"1"}', 'application/json' ] ],
                  'both bodies are JSON';
        $p->done;
    }
};

# What nginx does not take, told with file and line.

subtest 'mistakes in the configuration' => sub {
    my $b = "request POST $d->{base}/x; yes a 1;";

    my @wrong = (
        [ 'kind', 'correspondence_gateway nonsense { }', qr/unknown kind/ ],
        [ 'directive', "correspondence_gateway sms { $b nonsense 1; }",
          qr/unknown directive "nonsense"/ ],
        [ 'arguments', "correspondence_gateway sms { $b timeout; }",
          qr/invalid number of arguments in "timeout"/ ],
        [ 'variable', "correspondence_gateway sms { $b form 'a=\$nothing'; }",
          qr/unknown variable "\$nothing" in a gateway of kind sms/ ],
        [ 'of another kind',
          "correspondence_gateway sms { $b form 'a=\$national_code'; }",
          qr/unknown variable "\$national_code"/ ],
        [ 'path', "correspondence_gateway sms { request POST $d->{base}/x; yes a..b 1; }",
          qr/"yes" has a bad path/ ],
        [ 'take', "correspondence_gateway sms { $b take id 'a[x]'; }",
          qr/"take" has a bad path/ ],
        [ 'no value', "correspondence_gateway sms { request POST $d->{base}/x; yes a reason=b; }",
          qr/needs a path and a value/ ],
        [ 'no request', 'correspondence_gateway sms { yes a 1; }',
          qr/has no "request"/ ],
        [ 'no yes', "correspondence_gateway sms { request GET $d->{base}/; }",
          qr/has no "yes"/ ],
        [ 'secret', "correspondence_gateway sms { $b header X \@/no/such/file; }",
          qr{secret file "/no/such/file": No such file} ],
        [ 'json', "correspondence_gateway sms { $b json '{\"a\":\$local_id'; }",
          qr/"json" is not JSON/ ],
        [ 'http', 'correspondence_gateway sms { request GET http://a.ir/; yes a 1; }',
          qr/in the clear/ ],
        [ 'host', 'correspondence_gateway sms { request GET https://$mobile/; yes a 1; }',
          qr/begins with https:/ ],
        [ 'host 2', 'correspondence_gateway sms { request GET https://a$mobile/; yes a 1; }',
          qr/host of an address has to be constant/ ],
        [ 'user', 'correspondence_gateway sms { request GET https://a@b.ir/; yes a 1; }',
          qr/no user in an address/ ],
        [ 'token', "correspondence_gateway sms { $b header A \$token; }",
          qr/\$token needs "token"/ ],
        (map { [ "\$$_ in a token", "correspondence_gateway sms { $b "
                 . "header A \$token; token POST $d->{base}/t "
                 . "form 'a=\$$_' take t; }",
                 qr/"\$$_" cannot stand in the request of "token"/ ] }
         qw(mobile uuid request_id local_id text code template value_a
            jwe_mobile token refresh_token)),
        [ '$uuid in a header of a token', "correspondence_gateway sms { $b "
          . "header A \$token; token POST $d->{base}/t header B \$uuid "
          . "form a=b take t; }", qr/"\$uuid" cannot stand in the request/ ],
        [ '$token in a refresh', "correspondence_gateway sms { $b "
          . "header A \$token; token POST $d->{base}/t form a=b take t "
          . "refresh r 'a=\$token'; }",
          qr/"\$token" cannot stand in the refresh of "token"/ ],
        [ 'json of a refresh', "correspondence_gateway sms { $b "
          . "header A \$token; token POST $d->{base}/t "
          . "refresh r '{\"a\":' json '{\"a\":1}' take t; }",
          qr/"json" is not JSON/ ],
        [ 'request_id', "correspondence_gateway sms { $b form a=\$request_id; }",
          qr/needs "request_id"/ ],
        [ 'jwe', "correspondence_gateway sms { $b form a=\$jwe_mobile; }",
          qr/need "jwe_key"/ ],
        [ 'twice', "correspondence_gateway sms a { $b } correspondence_gateway sms a { $b }",
          qr/another sms gateway named "a"/ ],
        [ 'time', "correspondence_gateway sms { $b timeout soon; }",
          qr/"timeout" takes a time/ ],
        [ 'status', "correspondence_gateway sms { $b status 99; }",
          qr/"status" takes HTTP statuses/ ],
        [ 'line break', "correspondence_gateway sms { $b header X \"a\nb\"; }",
          qr/a header has a line break/ ],
    );

    for my $case (@wrong) {
        my ($what, $conf, $words) = @$case;
        my ($ok, $said) = probe($conf)->check;

        ok !$ok, "$what: refused";
        like $said, $words, "$what: why";
        like $said, qr/nginx\.conf:\d+/, "$what: where";
    }

    # what an administrator reads; the files it names are not here

    open my $f, '<:utf8', "$FindBin::RealBin/../../docs/gateways.md" or die;
    my $docs = do { local $/; <$f> };
    my @blocks = $docs =~ /^(    correspondence_gateway \w+ \w+ \{\n.*?^    \}\n)/msg;

    is scalar(@blocks), 4, 'examples of docs/gateways.md';
    my ($taken, $why) = probe(join('', @blocks)
        =~ s{^ +(?:ca|certificate) .*\n}{}mgr
        =~ s{\@/etc/nginx/correspondence/}{\@\@SECRETS\@/}gr)->check;
    ok $taken, 'are taken' or diag $why;

    my ($ok, $said) = probe(join '', map { $d->conf($_) } qw(pgsb gsb zibal
        estelaam zohal jibit finnotech uid ilenc kavenegar
        kavenegar-template magfa smsir melipayamak ghasedak ippanel))->check;
    ok $ok, 'all of dev/gateways together' or diag $said;
};

done_testing;
