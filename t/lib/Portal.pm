package Portal;

# A whole portal of a test's own: PostgreSQL, Redis, the sandbox gateways and
# nginx with the module, in a directory below /tmp, on free ports.
#
#   use FindBin;
#   use lib "$FindBin::RealBin/lib";          # t/faults: "…/../lib"
#   use Portal;
#
#   my $p = Portal->new;
#   my $b = $p->browser;                      # see Portal::Browser
#   my $person = $b->signup;
#   is($b->get('/desk')->status, 200, 'the desk');
#   $p->done;                                 # instead of done_testing
#
# new() takes
#   captcha => 'on'          default off
#   workers => 2             default 1
#   proxies => [ … ]         Portal::Proxy before postgres redis shahkar
#                            registry company sms; then $p->proxy('redis')
#   http, server, main       text put into that block of nginx.conf
#   replace => [[ qr/…/m, 'text' ], …]   changes of nginx.conf
#   without => [ 'sms', … ]  gateways taken out of the configuration
#   postgres => [ 'fsync=off', … ], redis => [ '--maxmemory', … ],
#   sandbox => [ … ]         more options of the servers
#   start => 0               only PostgreSQL, Redis and sandbox run
#   ready => 0               does not wait for /health to be well
#   faults => $faults        nginx runs under Portal::Faults
#
# At the end every test also fails on an [alert], [crit] or [emerg], on what
# a sanitizer said, on a leaked socket, on a process that died, and on a
# secret (passwords, national codes, mobiles, cookies, tokens of forms, codes)
# in a log or on /metrics.  $p->allow(qr/…/) for lines that the test itself
# has provoked.
#
# CORR_ASAN=1 takes the nginx of "make asan"; CORR_TEST_KEEP=1 leaves the
# directory; logs of a failed test are in build/t/failed/NAME.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(basename dirname);

my ($top, @all);

BEGIN {
    $top = abs_path(dirname(__FILE__) . '/../..');
    unshift @INC, "$top/dev/lib", "$top/t/lib";
}

use Carp qw(croak);
use DBI;
use Digest::SHA;
use Fcntl qw(:flock);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Socket::IP;
use Mojo::JSON qw(decode_json);
use Mojo::UserAgent;
use Scalar::Util qw(weaken);
use Test::More;
use Time::HiRes qw(sleep time);

use Instance;
use Portal::Browser;
use Portal::Numbers;
use Portal::Proxy;
use Staff;

my %gateway_kinds = (shahkar => ['shahkar'], registry => ['registry'],
                     company => ['company'], sms => ['sms', 'sms_status']);

binmode Test::More->builder->$_, ':encoding(UTF-8)'
    for qw(output failure_output todo_output);

# whoever hangs ends, and says where

$SIG{ALRM} = sub { Carp::confess('the test takes too long') };
alarm($ENV{CORR_TEST_TIMEOUT} // 600);
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
$SIG{PIPE} = 'IGNORE';


# Short, as the paths of sockets are, and gone after the test: see t/one.

sub tmp { $ENV{CORR_TEST_TMP} // '/tmp' }


sub new {
    my ($class, %o) = @_;
    my ($uid, $gid) = Instance::unprivileged();
    my $dir = tempdir('corr-t-XXXXXX', DIR => tmp());
    my $asan = ($ENV{CORR_ASAN} // 0) ne '0' ? "$top/build/asan" : undef;

    my $i = Instance->new(
        top => $o{top} // $top, older => defined $o{top},
        dir => $dir, uid => $uid, gid => $gid,
        port => Instance::free_port(), gateway_port => Instance::free_port(),
        workers => $o{workers} // 1, captcha => $o{captcha} // 'off',
        level => $o{level} // 'info',
        $asan ? (nginx => "$asan/nginx",
                 module => "$asan/ngx_http_correspondence_module.so") : (),
    );

    my $self = bless {
        instance => $i, dir => $dir, options => \%o, owner => $$,
        allowed => [], secrets => {}, seen => {}, proxies => {},
        name => basename($0, '.t'),
    }, $class;

    push @all, $self;
    weaken($all[-1]);

    -e $_ or die "$_ is not built\n" for $i->{nginx}, $i->{module};

    # what nginx inherits when it is an instrumented one

    $ENV{ASAN_OPTIONS} = "log_path=$dir/logs/asan:detect_odr_violation=0:"
                         . 'detect_stack_use_after_return=1:'
                         # pools are not freed at exit; a test may ask
                         . 'detect_leaks=1:leak_check_at_exit=0:'
                         . 'verify_asan_link_order=0'
        if $asan;
    $ENV{LSAN_OPTIONS} = "suppressions=$top/t/tools/leaks.supp:use_tls=0:"
                         . 'print_suppressions=0' if $asan;
    $ENV{UBSAN_OPTIONS} = 'print_stacktrace=1' if $asan;

    $i->prepare;
    $i->start_postgres(template => template($i),
                       options => $o{postgres});
    $i->start_redis(options => $o{redis});
    $i->start_sandbox(options => [ '--strict', @{ $o{sandbox} // [] } ]);
    $self->start_proxies(@{ $o{proxies} // [] });
    $self->configure;
    $self->start_nginx if $o{start} // 1;

    return $self;
}


# A certificate that nobody trusts, in a directory of its own.

sub certificate {
    my $dir = tempdir('corr-tls-XXXXXX', DIR => tmp(), CLEANUP => 1);

    chmod 0755, $dir;
    system('openssl req -x509 -newkey rsa:2048 -nodes -days 2'
           . ' -subj /CN=localhost -addext subjectAltName=DNS:localhost'
           . " -keyout $dir/key.pem -out $dir/cert.pem 2>/dev/null") == 0
        or die "openssl\n";
    chmod 0644, "$dir/key.pem";
    return $dir;
}


# What nginx.conf.example says for TLS, on a port of 127.0.0.1, with cert.pem
# and key.pem of a directory; and its server that sends people there.

sub example_tls {
    my ($port, $dir) = @_;
    my ($tls) = Instance::slurp("$top/nginx.conf.example")
                =~ /(^ +listen +443 .*?^ +ssl_session_tickets.*?;\n)/ms
        or die "nginx.conf.example has no TLS\n";

    $tls =~ s/listen +443/listen 127.0.0.1:$port/;
    $tls =~ s/^ +listen +\[::\]:443 .*\n//m;
    $tls =~ s{(ssl_certificate +).*;}{$1$dir/cert.pem;};
    $tls =~ s{(ssl_certificate_key +).*;}{$1$dir/key.pem;};
    return $tls;
}

sub example_redirect {
    my ($port) = @_;
    my ($server) = Instance::slurp("$top/nginx.conf.example")
        =~ /^(    server \{\n(?:        .*\n)*        return .*\n    \}\n)/m
        or die "nginx.conf.example has nothing that redirects\n";

    $server =~ s/listen +80/listen 127.0.0.1:$port/;
    $server =~ s/^ +listen +\[::\]:80;\n//m;
    return $server;
}


# A data directory with the schema in it, made once for each state of sql/.

sub template {
    my ($like) = @_;
    my $sha = Digest::SHA->new(256);
    my $store = "$top/build/t";

    $sha->add(Instance::postgres_bin('/none'), $like->{uid}, 'v2');

    my $of = $like->{top};

    for my $file ("$of/sql/migrate", sort glob "$of/sql/*/*.sql") {
        $sha->add($file =~ s{^\Q$of\E/}{}r, Instance::slurp($file));
    }

    my $name = 'pgtemplate-' . substr $sha->hexdigest, 0, 16;

    make_path($store);
    open my $lock, '>', "$store/lock" or die "$store/lock: $!\n";
    flock $lock, LOCK_EX or die "$store/lock: $!\n";
    return "$store/$name" if -e "$store/$name";

    remove_tree(glob "$store/pgtemplate-*");

    my $dir = tempdir('corr-t-XXXXXX', DIR => tmp());
    my $i = Instance->new(%$like, dir => $dir, children => [],
                          files => undef);

    eval {
        $i->prepare;

        # small files of the log: it is copied for every test

        $i->start_postgres(initdb => [ '--wal-segsize=1' ],
                           options => [ 'fsync=off', 'min_wal_size=2MB',
                                        'max_wal_size=4MB' ]);
        $i->install_schema;
        1;
    } or do {
        my $error = $@;
        $i->stop;
        remove_tree($dir);
        die $error;
    };

    $i->stop;
    system('cp', '-a', "$dir/pg", "$store/$name.new") == 0
        or die "cannot copy the template\n";
    rename "$store/$name.new", "$store/$name" or die "$store/$name: $!\n";
    remove_tree($dir);

    return "$store/$name";
}


# The configuration.  Called again with other options it writes it anew.

sub configure {
    my ($self, %more) = @_;
    my %o = (%{ $self->{options} }, %more);
    my $i = $self->{instance};
    my $p = $self->{proxies};
    my %gateways;

    $self->{options} = \%o;

    for my $kind (grep { $p->{$_} } keys %gateway_kinds) {
        $gateways{$_} = "http://127.0.0.1:$self->{ports}{$kind}"
            for @{ $gateway_kinds{$kind} };
    }

    my @replace = @{ $o{replace} // [] };

    for my $kind (@{ $o{without} // [] }) {
        push @replace, [ qr/^    correspondence_gateway $_ \{.*?^    \}\n/ms,
                         '' ] for @{ $gateway_kinds{$kind} // [ $kind ] };
    }

    $i->write_conf(
        gateways => \%gateways, replace => \@replace,
        $p->{postgres} ? (postgres => "host=$i->{sockets}/p port=5432") : (),
        $p->{redis} ? (redis => "$i->{sockets}/p/redis.sock") : (),
        map { $o{$_} ? ($_ => $o{$_}) : () } qw(http server main),
    );
}


sub start_proxies {
    my ($self, @names) = @_;
    my $i = $self->{instance};
    my %to = (postgres => '.s.PGSQL.5432', redis => 'redis.sock');

    for my $name (@names) {
        my ($listen, $to);

        if ($to{$name}) {
            $listen = "$i->{sockets}/p/$to{$name}";
            $to = "$i->{sockets}/$to{$name}";

        } else {
            $gateway_kinds{$name} or croak "no proxy for $name";
            $listen = $self->{ports}{$name} = Instance::free_port();
            $to = $i->{gateway_port};
        }

        $self->{proxies}{$name} = Portal::Proxy->new(listen => $listen,
                                                     to => $to);
    }
}


sub proxy {
    my ($self, $name) = @_;

    return $self->{proxies}{$name} // croak "there is no proxy for $name";
}


# Where things are.

sub instance { $_[0]->{instance} }
sub dir      { $_[0]->{dir} }
sub port     { $_[0]->{instance}{port} }
sub base     { 'http://localhost:' . $_[0]->port }
sub browser  { Portal::Browser->new(@_) }


# A raw connection to nginx, for what no well-behaved client does.

sub socket {
    my ($self) = @_;

    return IO::Socket::IP->new(PeerHost => '127.0.0.1',
                               PeerPort => $self->port, Timeout => 5)
        // die "nginx: $@\n";
}


# The database, as its superuser.  sql() gives rows as hashes, value() the
# first column of the first row, owner() runs statements as the owner.

sub db {
    my ($self) = @_;
    my $db = $self->{db};

    return $db if $db && $db->ping;

    return $self->{db} = DBI->connect(
        'dbi:Pg:dbname=correspondence;host='
        . ($self->{database} // $self->{instance}{sockets}),
        'postgres', '', { RaiseError => 1, PrintError => 0, AutoCommit => 1,
                          pg_enable_utf8 => 1, AutoInactiveDestroy => 1,
                          Callbacks => { connected => sub {
                              $_[0]->do('SET search_path = correspondence');
                              return;
                          } } });
}


sub sql {
    my ($self, $sql, @values) = @_;
    my $sth = $self->db->prepare($sql);

    $sth->execute(@values);
    return $sth->{NUM_OF_FIELDS} ? @{ $sth->fetchall_arrayref({}) } : ();
}


sub value {
    my ($self, $sql, @values) = @_;

    return scalar $self->db->selectrow_array($sql, undef, @values);
}


sub owner { Staff::owner_sql($_[0]->{instance}, @_[1 .. $#_]) }


# What a captcha shows, by its id.

sub captcha_answer {
    my ($self, $id) = @_;

    croak "no id of a captcha: $id" if $id !~ /^[A-Za-z0-9_-]+$/;

    my $key = "$self->{dir}/keys/portal.key";

    our $made //= system("cd '$top' && make -s build/corr-captcha >&2") == 0;
    my $digits = `'$top/build/corr-captcha' '$key' 5 $id`;

    chomp $digits;
    return $digits;
}


# The sandbox.

sub sandbox {
    my ($self, $method, $path, @more) = @_;

    $self->{sandbox} //= Mojo::UserAgent->new(request_timeout => 20);
    $self->{sandbox}->proxy->http(undef);

    my $url = "http://127.0.0.1:$self->{instance}{gateway_port}$path";
    my $res = $self->{sandbox}->start(
        $self->{sandbox}->build_tx($method => $url, @more))->result;

    croak "sandbox: $method $path: " . $res->code . ' ' . $res->body
        if !$res->is_success;
    return $res->json;
}


# $p->fault(service => 'sms', kind => 'delay', seconds => 3, times => 1)

sub fault     { $_[0]->sandbox(POST => '/faults', json => { @_[1 .. $#_] }) }
sub no_faults { $_[0]->sandbox(DELETE => '/faults') }

sub requests {
    my ($self, $service) = @_;

    return @{ $self->sandbox(GET => "/requests?service=$service") };
}


# The id of a message, of the number that goes to the provider with it.

sub id_of { return ($_[0] // 0) & 0xfffff }


sub messages {
    my ($self, $mobile) = @_;

    return @{ $self->sandbox(GET => '/messages?mobile=' . ($mobile // '')) };
}


# The id of the newest message to a mobile, to wait for the next one.

sub last_message {
    my ($self, $mobile) = @_;
    my ($newest) = $self->messages($mobile);

    return $newest ? $newest->{id} : 0;
}


# Waits for a message newer than $after (an id; default: any not handed out
# yet) that $like matches.  Dies when none comes.

sub message {
    my ($self, $mobile, $like, $after, $seconds) = @_;
    my $found;

    $after //= $self->{seen}{$mobile} // 0;

    wait_until($seconds // 15, sub {
        ($found) = grep { $_->{id} > $after && $_->{text} =~ $like }
                   $self->messages($mobile);
        return $found;
    }) or croak "no message to $mobile like $like";

    $self->{seen}{$mobile} = $found->{id}
        if $found->{id} > ($self->{seen}{$mobile} // 0);
    return $found;
}


# The one-time code, from the last line "@host #123456".

sub sms_code {
    my ($self, $mobile, $after, $seconds) = @_;
    my $m = $self->message($mobile, qr/^@\S+ #\d{4,8}\s*\z/m, $after,
                           $seconds);
    my ($code) = $m->{text} =~ /^@\S+ #(\d+)\s*\z/m;

    # six digits alone may be anything; so they are a code

    $self->secret("#$code", "code=$code");
    return $code;
}


# The staff, made when first asked for: { role, username, password,
# totp_secret }.

sub staff {
    my ($self, $role) = @_;

    if (!$self->{staff}) {
        $self->{staff} = Staff::make_all($self->{instance});
        $self->secret(@$_{qw(password totp_secret)}) for @{ $self->{staff} };
    }

    my ($who) = grep { $_->{username} eq $role } @{ $self->{staff} };
    return $who // croak "no such staff: $role";
}


# A code that will be taken.  Each is good for once; so that a test may log
# in twice in 30 seconds the account forgets the last one, unless keep.

sub totp {
    my ($self, $who, %o) = @_;

    $self->db->do('UPDATE staff SET totp_step = 0 WHERE username = ?', undef,
                  $who->{username}) if !$o{keep};
    return Staff::totp($who->{totp_secret}, $o{time});
}


# nginx.

sub nginx_pid { $_[0]->{instance}->child('nginx') }


# Processes of the master that are workers and not on their way out.

sub workers {
    my ($self) = @_;
    my $master = $self->nginx_pid // return ();
    my $children = Instance::slurp("/proc/$master/task/$master/children");

    return grep {
        Instance::slurp("/proc/$_/cmdline")
            =~ /^nginx: worker process(?! is shutting down)/
    } split ' ', $children;
}


# How many files and sockets a worker may have from now on.

sub descriptors {
    my ($self, $worker, $number) = @_;

    system($self->{instance}->as_user, 'prlimit', '--pid', $worker,
           "--nofile=$number:") == 0 or die "prlimit\n";
}


# Reloads and waits until new workers have taken over.

sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers;

    kill HUP => $self->nginx_pid;

    return wait_until(20, sub {
        my @now = $self->workers;
        return @now && !grep { $old{$_} } @now;
    });
}


sub stop_nginx { $_[0]->{instance}->stop_nginx }


sub start_nginx {
    my ($self) = @_;

    my $faults = $self->{options}{faults};

    local %ENV = (%ENV, $faults ? $faults->environment : ());
    $faults->port($self->port) if $faults;
    $self->{instance}->start_nginx(ready => $self->{options}{ready});
}


sub restart_nginx {
    my ($self) = @_;
    my $status = $self->stop_nginx;

    $self->start_nginx;
    return $status;
}


# What "nginx -t" says of the configuration with these changes: (ok, text,
# the configuration).  The running one stays as it is.

sub test_conf {
    my ($self, %change) = @_;
    my $file = "$self->{dir}/nginx/nginx.conf";
    my $before = Instance::slurp($file);
    my $options = $self->{options};

    $self->configure(%change);

    my @said = $self->{instance}->test_conf;

    push @said, Instance::slurp($file);
    $self->{options} = $options;
    $self->{instance}->write_file($file, $before, 0600);
    return @said;
}


# Logs.

sub log_file  { "$_[0]->{dir}/logs/$_[1].log" }
sub log       { Instance::slurp($_[0]->log_file($_[1] // 'error')) }
sub allow     { push @{ shift->{allowed} }, @_ }


# Must not stand in any log.

sub secret {
    my ($self, @texts) = @_;

    $self->{secrets}{$_} = 1 for @texts;
}


# The end of a test: stops it all and looks at what it left.

sub done {
    my ($self, $tests) = @_;

    $self->check_end;
    done_testing($tests ? $tests + 4 : ());
}


sub check_end {
    my ($self) = @_;
    my $i = $self->{instance};
    my $running = $self->nginx_pid;
    my $metrics = $running ? $self->metrics_page : '';

    $self->{db}->disconnect if $self->{db};
    $i->ended;

    my @dead = map { $_->{name} } grep { defined $_->{status} }
               @{ $i->{children} };
    my $status = $running ? $i->stop_nginx : 0;

    $i->stop;
    $_->stop for values %{ $self->{proxies} };
    $self->{stopped} = 1;

    is(join(' ', @dead), '', 'no server ended by itself');
    is($status, 0, 'nginx ended well');

    my @bad = $self->alarming;

    ok(!@bad, 'nothing alarming in the logs')
        or diag(join '', map { "$_\n" } @bad[0 .. ($#bad < 20 ? $#bad : 20)]);

    my @told = $self->told_secrets(metrics => $metrics);

    ok(!@told, 'no secret in a log') or diag("told: @told");
}


# What /metrics says at the end; nothing when nginx does not answer any more.

sub metrics_page {
    my ($self) = @_;
    my $ua = Mojo::UserAgent->new(connect_timeout => 2, request_timeout => 5);

    $ua->proxy->http(undef);

    return eval { $ua->get($self->base . '/metrics')->result->body } // '';
}


sub alarming {
    my ($self) = @_;
    my @bad;

    for my $name (qw(error nginx postgres)) {
        for my $line (split /\n/, $self->log($name)) {
            next if $line !~ /\[(?:alert|crit|emerg)\]
                              | Sanitizer | runtime\ error:
                              | open\ socket | exited\ on\ signal
                              | request\ count\ is\ zero
                              | exited\ with\ fatal
                              | terminated\ by\ signal | \bPANIC\b/x;
            next if grep { $line =~ $_ } @{ $self->{allowed} };
            push @bad, "$name.log: $line";
        }
    }

    for my $file (glob "$self->{dir}/logs/asan.*") {
        push @bad, map { "asan: $_" } split /\n/, Instance::slurp($file);
    }

    return @bad;
}


sub told_secrets {
    my ($self, %text) = @_;
    my $secrets = $self->{secrets};
    my @short = grep { length() < 40 } keys %$secrets;
    my %told;

    $text{"$_.log"} = $self->log($_) for qw(error access nginx postgres redis);

    # nginx's own dump of headers, of many lines, has cookies in it

    $text{'error.log'} = join "\n", grep { !/\[debug\]/ }
        grep { m{^\d{4}/\d\d/\d\d } } split /\n/, $text{'error.log'}
        if ($self->{options}{level} // '') eq 'debug';

    for my $name (keys %text) {
        for my $secret (@short) {
            my $bytes = $secret;

            utf8::encode($bytes);
            $told{"$name: $secret"} = 1 if index($text{$name}, $bytes) >= 0;
        }

        # cookies and tokens: too many to look for each

        while ($text{$name} =~ /([\w-]{40,})/g) {
            $told{"$name: $1"} = 1 if $secrets->{$1};
        }
    }

    return sort keys %told;
}


sub wait_until {
    my ($seconds, $what) = @_;

    return Instance::wait_for($seconds, $what);
}


# Also when the test dies in the middle.

sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $@, $!);
    my $failed = !$self->{stopped} || !Test::More->builder->is_passing;

    if (!$self->{stopped}) {
        $self->{instance}->stop;
        $_->stop for values %{ $self->{proxies} };
    }

    if ($failed) {
        my $to = "$top/build/t/failed/$self->{name}";

        remove_tree($to);
        make_path($to);
        system('cp', '-R', "$self->{dir}/logs",
               "$self->{dir}/nginx/nginx.conf", $to);
        diag("seed " . Portal::Numbers::seed() . ", logs in "
             . ($to =~ s{^\Q$top\E/}{}r)) if defined &diag;
    }

    if ($ENV{CORR_TEST_KEEP}) {
        diag("kept: $self->{dir}");
    } else {
        remove_tree($self->{dir});
    }
}


sub import {
    my ($class) = @_;
    my $into = caller;

    no strict 'refs';
    *{"${into}::wait_until"} = \&wait_until;
    *{"${into}::id_of"} = \&id_of;
    Test::More->export_to_level(1);
    Portal::Numbers->export_to_level(1, 'Portal::Numbers',
                                     @Portal::Numbers::EXPORT);
}

# global destruction comes in no order; this comes before it

END {
    my $code = $?;

    for my $p (grep { $_ && $_->{owner} == $$ } @all) {
        $p->DESTROY;
        $p->{owner} = 0;
    }

    $? = $code;
}


1;
