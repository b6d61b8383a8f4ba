package Portal::Probe;

# Gateways alone: nginx with t/gateways/probe.c, which asks a gateway and
# says what came of it.
#
#   my $probe = Portal::Probe->new(conf => $gateways);
#   my $r = $probe->ask(shahkar => { mobile => …, national_code => … });
#   is $r->{verdict}, 'yes';
#   $probe->done;              # ends nginx, looks at its log
#
# new() takes conf (the gateways), secrets ({ name => text }: files that conf
# finds below @SECRETS@), main, http and server (more of nginx.conf),
# workers, level (of the error log).

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::IP;
use Mojo::UserAgent;
use Mojo::Parameters;
use Test::More;
use Time::HiRes qw(sleep time);

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $asan = ($ENV{CORR_ASAN} // 0) ne '0';
my $nginx = $asan ? "$top/build/asan/nginx" : '/usr/sbin/nginx';
my $build = $asan ? "$top/build/asan" : "$top/build";


sub new {
    my ($class, %o) = @_;

    system("$top/t/gateways/build") == 0 or die "the probe does not build\n";

    my $self = bless {
        level => 'debug', workers => 1, allow => [], %o,
        dir   => tempdir('corr-probe-XXXXXX',
                         DIR => $ENV{CORR_TEST_TMP} // '/tmp',
                         CLEANUP => !$ENV{CORR_TEST_KEEP}),
        port  => free_port(),
    }, $class;

    # workers write here, whoever they are

    chmod 0777, $self->{dir};

    # pools are not freed at exit

    $ENV{ASAN_OPTIONS} = "log_path=$self->{dir}/asan:detect_odr_violation=0:"
                         . 'detect_leaks=0' if $asan;

    $self->write_secrets;
    $self->write_conf;
    return $self;
}


sub free_port {
    return IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0,
                               Listen => 1)->sockport;
}


sub write_secrets {
    my ($self) = @_;

    mkdir "$self->{dir}/secrets";

    for my $name (keys %{ $self->{secrets} // {} }) {
        write_file("$self->{dir}/secrets/$name",
                   "$self->{secrets}{$name}\n");
        chmod 0600, "$self->{dir}/secrets/$name";
    }
}


sub write_conf {
    my ($self) = @_;
    my $conf = $self->{conf};
    my ($main, $http) = map { $self->{$_} // '' } qw(main http);

    $conf =~ s/\@SECRETS\@/$self->{dir}\/secrets/g;

    write_file("$self->{dir}/nginx.conf", <<"END");
load_module $build/gateway_probe.so;
daemon off;
master_process on;
pid $self->{dir}/nginx.pid;
worker_processes $self->{workers};
error_log $self->{dir}/error.log $self->{level};
$main
events { worker_connections 512; }
http {
    access_log off;
    client_body_temp_path $self->{dir}/t1;
    proxy_temp_path $self->{dir}/t2;
    fastcgi_temp_path $self->{dir}/t3;
    uwsgi_temp_path $self->{dir}/t4;
    scgi_temp_path $self->{dir}/t5;
    $http
    $conf
    server {
        listen 127.0.0.1:$self->{port};
        location /ask/ { gateway_probe; }
        location = / { return 204; }
    }
}
END
}


# What "nginx -t" says: (ok, words).

sub check {
    my ($self) = @_;
    my $said = `$nginx -t -e stderr -p $self->{dir} -c $self->{dir}/nginx.conf 2>&1`;

    return ($? == 0, $said);
}


sub start {
    my ($self) = @_;

    my ($ok, $said) = $self->check;
    die "nginx does not take it:\n$said" if !$ok;

    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        exec $nginx, '-e', "$self->{dir}/error.log",
             '-p', $self->{dir}, '-c', "$self->{dir}/nginx.conf"
            or POSIX::_exit(1);
    }

    my $ua = $self->ua;

    for (1 .. 200) {
        my $tx = $ua->get("http://127.0.0.1:$self->{port}/");
        return $self if !$tx->error;
        sleep 0.05;
    }

    die "nginx does not answer\n";
}


sub ua {
    my ($self) = @_;

    return $self->{ua} //= Mojo::UserAgent->new(
        inactivity_timeout => 60, request_timeout => 60, max_redirects => 0);
}


sub url {
    my ($self, $kind, $values) = @_;

    my $query = Mojo::Parameters->new(%{ $values // {} })->to_string;

    return "http://127.0.0.1:$self->{port}/ask/$kind?" . unpack 'H*', $query
        =~ s/\+/%20/gr;
}


sub ask {
    my ($self, $kind, $values) = @_;

    $self->start if !$self->{pid};
    return $self->ua->get($self->url($kind, $values))->res->json
           // { verdict => 'the probe has no answer' };
}


# Several at once: a list of answers, in order.

sub ask_all {
    my ($self, @asks) = @_;
    my @answers;

    $self->start if !$self->{pid};

    Mojo::Promise->all(map {
        $self->ua->get_p($self->url(@$_))
    } @asks)->then(sub { @answers = map { $_->[0]->res->json } @_ })->wait;

    return @answers;
}


sub status {
    my ($self) = @_;

    $self->start if !$self->{pid};
    return $self->ua->get($self->url('status'))->res->json->{gateways};
}


sub workers {
    my ($self) = @_;

    open my $f, '<', "/proc/$self->{pid}/task/$self->{pid}/children"
        or die "workers: $!\n";
    return split ' ', readline $f;
}


sub signal {
    my ($self, $name) = @_;
    kill $name => $self->{pid};
}


sub log_text {
    my ($self) = @_;

    open my $f, '<:raw', "$self->{dir}/error.log" or return '';
    local $/;
    return scalar <$f>;
}


# Ends nginx gracefully; fails on alerts and on secrets in the log.

sub done {
    my ($self, @secrets) = @_;

    if ($self->{pid}) {
        kill QUIT => $self->{pid};
        waitpid $self->{pid}, 0;
        is $? & 127, 0, 'nginx was not killed by a signal';
        delete $self->{pid};
    }

    my $log = $self->log_text;
    my @bad = grep { my $l = $_; !grep { $l =~ $_ } @{ $self->{allow} } }
              $log =~ /^.*\[(?:alert|crit|emerg)\].*$/mg;

    push @bad, $log =~ /^.*exited (?:on signal|with code [1-9]).*$/mg;
    is_deeply \@bad, [], 'no alerts';
    unlike $log, qr/AddressSanitizer|runtime error:/, 'no sanitizer words';

    is_deeply [ glob "$self->{dir}/asan*" ], [], 'nothing of a sanitizer';

    my @seen = grep { length && index($log, $_) >= 0 } @secrets,
               values %{ $self->{secrets} // {} };
    is_deeply \@seen, [], 'no secrets in the log';
}


sub DESTROY {
    my ($self) = @_;

    kill KILL => $self->{pid} if $self->{pid};
}


sub write_file {
    my ($file, $text) = @_;

    open my $f, '>:utf8', $file or die "$file: $!\n";
    print $f $text;
    close $f or die "$file: $!\n";
}


1;
