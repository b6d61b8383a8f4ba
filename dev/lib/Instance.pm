package Instance;

# One private portal in one directory: PostgreSQL and Redis on Unix sockets,
# the sandbox gateways and nginx, all run by one unprivileged user, none of
# the system's touched.  "make run" has one below run/, each test its own.
#
#   my $i = Instance->new(top => '.', dir => '/tmp/x', port => 8080,
#                         gateway_port => 8090);
#   $i->prepare;
#   $i->start_postgres; $i->install_schema; $i->start_redis;
#   $i->start_sandbox;  $i->write_conf; $i->start_nginx;
#   ...
#   $i->stop;
#
# Everything dies with a sentence that says what to do.

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno qw(EADDRINUSE EACCES);
use File::Path qw(make_path remove_tree);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h setpgid);
use Time::HiRes qw(sleep time);

# what a socket's path may be at most (sun_path with its NUL), and the
# longest name below our socket directory

use constant SOCKET_PATH => 107;
use constant SOCKET_NAME => length '/p/.s.PGSQL.5432';

# what nginx.conf.example asks for, twice: a connection and a file of each
use constant FILES => 8192;

use constant SECRETS => qw(pgsb.password pgsb.client shahkar.basic pgsb.pid
                           zohal.key kavenegar.key);


sub new {
    my ($class, %o) = @_;

    my $self = bless {
        nginx    => '/usr/sbin/nginx',
        captcha  => 'on',
        level    => 'info',
        uid      => $>,
        gid      => (split ' ', $))[0],
        children => [],
        %o,
    }, $class;

    $self->{top} = abs_path($self->{top});
    $self->{module} //=
        "$self->{top}/build/ngx_http_correspondence_module.so";
    $self->{home} = (getpwuid $self->{uid})[7] // '/';

    return $self;
}


# The user who runs the servers when root starts them: the one behind sudo,
# or nobody.  Returns (uid, gid).

sub unprivileged {
    return ($>, (split ' ', $))[0]) if $> != 0;

    for my $name ($ENV{RUN_USER}, $ENV{SUDO_USER}, 'nobody') {
        next if !defined $name || $name eq '' || $name eq 'root';

        my @user = getpwnam $name or die "there is no user \"$name\"\n";
        return @user[2, 3];
    }
}


# May that user go there and read it?

sub reads {
    my ($self, $path) = @_;

    return -r $path if $self->{uid} == $>;
    return system($self->as_user, 'test', '-r', $path) == 0;
}


sub as_user {
    my ($self) = @_;

    return () if $self->{uid} == $>;
    return ('setpriv', "--reuid=$self->{uid}", "--regid=$self->{gid}",
            '--clear-groups', '--');
}


# Many a login has 1024 open files, and more for the asking; nginx warns when
# it may have fewer than connections.

sub raise_files {
    my $limits = slurp('/proc/self/limits');
    my ($soft, $hard) = $limits =~ /^Max open files\s+(\d+)\s+(\d+)/m
        or return;
    my $files = $hard < FILES ? $hard : FILES;

    system('prlimit', "--pid=$$", "--nofile=$files:$hard") if $soft < $files;
}


# Directories, secrets, and copies of what the user could not read.

sub prepare {
    my ($self) = @_;
    my $dir = $self->{dir};

    raise_files();

    $self->own_dir($dir);
    $self->own_dir("$dir/$_")
        for qw(redis sandbox store keys secrets nginx logs);

    if (length($dir) + length('/s') + SOCKET_NAME <= SOCKET_PATH) {
        $self->{sockets} = "$dir/s";

    } else {
        $self->{sockets} = tempdir('corr-XXXXXX', DIR => '/tmp');
        $self->{sockets_elsewhere} = 1;
    }

    $self->own_dir($self->{sockets});
    $self->own_dir("$self->{sockets}/p");

    my $key = "$dir/keys/portal.key";

    $self->write_file($key, random_bytes(32), 0600) if !-e $key;

    for my $name (SECRETS) {
        my $file = "$dir/secrets/$name";
        my $value = unpack 'H*', random_bytes(12);

        next if -e $file;
        $value = "correspondence:$value" if $name eq 'pgsb.client';
        $value = base64("correspondence:$value") if $name eq 'shahkar.basic';
        $self->write_file($file, "$value\n", 0600);
    }

    my $sandbox = 'dev/sandbox';

    $self->{files} = "$dir/files";
    remove_tree($self->{files});

    if ($self->reads("$self->{top}/html/messages.txt")
        && $self->reads("$self->{top}/$sandbox")
        && (!-e $self->{module} || $self->reads($self->{module})))
    {
        $self->{files} = $self->{top};
        return;
    }

    $self->own_dir($self->{files});
    $self->own_dir("$self->{files}/dev");
    $self->copy("$self->{top}/html", "$self->{files}/");
    $self->copy("$self->{top}/$sandbox", "$self->{files}/dev/");

    if (-e $self->{module}) {
        $self->copy($self->{module}, "$self->{files}/");
        $self->{module} =~ s{^.*/}{$self->{files}/};
    }
}


sub copy {
    my ($self, $from, $to) = @_;

    system('cp', '-R', $from, $to) == 0 or die "cannot copy $from to $to\n";
    return if $self->{uid} == $>;
    system('chown', '-R', "$self->{uid}:$self->{gid}", $to) == 0
        or die "cannot give $to to its user\n";
}


sub own_dir {
    my ($self, $dir) = @_;

    make_path($dir, { mode => 0700 }) if !-d $dir;
    chown $self->{uid}, $self->{gid}, $dir if $self->{uid} != $>;
}


sub write_file {
    my ($self, $file, $bytes, $mode) = @_;
    my $new = "$file.new";

    unlink $new;
    sysopen my $f, $new, POSIX::O_WRONLY | POSIX::O_CREAT | POSIX::O_EXCL,
            $mode or die "$new: $!\n";
    binmode $f;
    print $f $bytes or die "$new: $!\n";
    close $f or die "$new: $!\n";

    chown $self->{uid}, $self->{gid}, $new if $self->{uid} != $>;
    rename $new, $file or die "$file: $!\n";
}


# PostgreSQL.  The server listens on its socket only, which only its user
# (and root) can reach; hence trust.

sub start_postgres {
    my ($self, %o) = @_;
    my $data = "$self->{dir}/pg";
    my $bin = postgres_bin($data);

    if (!-e "$data/PG_VERSION") {
        $self->init_postgres($bin, $data, $o{template}, $o{initdb});
    }

    wait_for(15, sub { !postmaster_alive($data) })
        or die "another PostgreSQL still runs on $data\n";

    my $connections = ($self->{workers} || processors()) * 20 + 40;

    $self->spawn('postgres', 'INT', "$bin/postgres", '-D', $data,
                 '-c', 'listen_addresses=',
                 '-c', "unix_socket_directories=$self->{sockets}",
                 '-c', 'unix_socket_permissions=0700',
                 '-c', "max_connections=$connections",
                 '-c', 'log_timezone=UTC',
                 '-c', 'log_line_prefix=%m [%p] %q%u ',
                 map { ('-c', $_) } @{ $o{options} // [] });

    $self->wait_ready('postgres', 60, sub {
        system("$bin/pg_isready", '-q', '-h', $self->{sockets}) == 0
    });
}


sub init_postgres {
    my ($self, $bin, $data, $template, $more) = @_;
    my $log = "$self->{dir}/logs/initdb.log";

    # a directory that is half made must not pass for a whole one

    remove_tree("$data.new");

    if ($template) {
        $self->run_logged($log, 'cp', '-a', $template, "$data.new");

    } else {
        $self->run_logged($log, $self->as_user, "$bin/initdb",
                          '-D', "$data.new", '--encoding=UTF8',
                          '--locale=C.UTF-8', '--auth=trust',
                          '--username=postgres', @{ $more // [] });
    }

    rename "$data.new", $data or die "$data: $!\n";
}


sub postgres_bin {
    my ($data) = @_;
    my @dirs = glob '/usr/lib/postgresql/*/bin';

    if (open my $f, '<', "$data/PG_VERSION") {
        chomp(my $version = <$f>);
        @dirs = grep { m{/\Q$version\E/bin$} } @dirs;
        die "the data in $data is of PostgreSQL $version, which is not "
            . "installed\n" if !@dirs;
    }

    my ($bin) = grep { -x "$_/postgres" && -x "$_/initdb" }
                sort { ($b =~ m{(\d+)/bin})[0] <=> ($a =~ m{(\d+)/bin})[0] }
                @dirs;

    return $bin // die "there is no PostgreSQL server below "
                       . "/usr/lib/postgresql\n";
}


sub postmaster_alive {
    my ($data) = @_;

    open my $f, '<', "$data/postmaster.pid" or return 0;
    my ($pid) = (<$f> // '') =~ /^(\d+)/ or return 0;
    open my $c, '<', "/proc/$pid/cmdline" or return 0;
    return index(scalar(<$c>) // '', $data) >= 0;
}


sub install_schema {
    my ($self) = @_;
    my $log = "$self->{dir}/logs/migrate.log";
    my $bin = postgres_bin("$self->{dir}/pg");

    local %ENV = ($self->environment, %{ $self->postgres_environment });

    my $there = `$bin/psql -XAt -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'correspondence'"`;

    if ($there !~ /1/) {
        $self->run_logged($log, "$bin/createdb", '-T', 'template0',
                          '-E', 'UTF8', '-l', 'C.UTF-8', 'correspondence');
    }

    $self->run_logged($log, "$self->{top}/sql/migrate",
                      'dbname=correspondence');
}


sub postgres_environment {
    my ($self) = @_;

    return { PGHOST => $self->{sockets}, PGUSER => 'postgres',
             PGDATABASE => 'correspondence' };
}


sub start_redis {
    my ($self, %o) = @_;
    my $socket = "$self->{sockets}/redis.sock";

    $self->spawn('redis', 'TERM', 'redis-server', '--port', 0,
                 '--unixsocket', $socket, '--unixsocketperm', 700,
                 '--dir', "$self->{dir}/redis", '--daemonize', 'no',
                 '--logfile', '', '--save', '300 1',
                 '--maxmemory-policy', 'noeviction',
                 @{ $o{options} // [] });

    $self->wait_ready('redis', 20, sub { $self->redis_ready($socket) });
}


sub redis_ready {
    my ($self, $socket) = @_;

    # while it loads its file it answers -LOADING

    my $s = IO::Socket::UNIX->new(Peer => $socket) or return 0;
    print $s "PING\r\n";
    my $line = <$s> // '';
    return $line =~ /^\+PONG/;
}


sub start_sandbox {
    my ($self, %o) = @_;

    $self->port_free('GATEWAY_PORT', $self->{gateway_port});

    $self->spawn('sandbox', 'TERM', $^X, "$self->{files}/dev/sandbox",
                 (map { ('--listen', "http://$_:$self->{gateway_port}") }
                  loopback()),
                 '--state', "$self->{dir}/sandbox",
                 '--secrets', "$self->{dir}/secrets",
                 @{ $o{options} // [] });

    $self->wait_ready('sandbox', 20, sub {
        answers($self->{gateway_port}, '/messages')
    });
}


# nginx.  Its configuration is the example with other paths and addresses;
# what the example does not have any more is an error here, so that the two
# cannot drift apart; one of an older tree may lack it (older => 1).
#
#   gateway   => 'http://127.0.0.1:9999'   base of all gateways
#   gateways  => { shahkar => 'http://…' } base of one
#   postgres  => 'host=…'   redis => '/path'
#   http, server, main => text put there
#   replace   => [ [ qr/…/m, 'text' ], … ]  each must match

sub write_conf {
    my ($self, %o) = @_;
    my $dir = $self->{dir};
    my $text = slurp("$self->{top}/nginx.conf.example");
    my $base = $o{gateway} // "http://127.0.0.1:$self->{gateway_port}";
    my $pg = $o{postgres} // "host=$self->{sockets} port=5432";
    my $redis = $o{redis} // "$self->{sockets}/redis.sock";
    my $workers = $self->{workers} || 'auto';

    my $change = sub {
        my ($what, $by) = @_;

        $text =~ s/$what/ref $by ? $by->() : $by/gme || $self->{older}
            or die "nginx.conf.example has nothing like $what\n";
    };

    for my $kind (sort keys %{ $o{gateways} // {} }) {
        $text =~ s{(correspondence_gateway\s+\Q$kind\E\s*\{.*?^    \})}
                  { $1 =~ s{https://[^/\s]+}{$o{gateways}{$kind}}gr }gems
            or die "nginx.conf.example has no gateway $kind\n";
    }

    $change->(qr/^load_module.*;/m, "load_module $self->{module};");
    $change->(qr/^user .*;\n/m, "daemon off;\n");
    $change->(qr/^worker_processes .*;/m, "worker_processes $workers;");
    $change->(qr/^worker_rlimit_nofile .*;\n/m, '');
    $change->(qr/^pid .*;/m, "pid $dir/nginx/nginx.pid;");
    $change->(qr/^error_log .*;/m,
              "error_log $dir/logs/error.log $self->{level};");
    $change->(qr/^worker_shutdown_timeout .*;/m,
              'worker_shutdown_timeout 10s;');
    $change->(qr{^    access_log  /.*;}m,
              "    access_log $dir/logs/access.log;");
    $change->(qr/_temp_path\s+(\S+)\/(\w+);/m,
              sub { "_temp_path $dir/nginx/$2;" });

    $change->(qr/correspondence_url .*;/m,
              "correspondence_url http://localhost:$self->{port};");
    $change->(qr/correspondence_html .*;/m,
              "correspondence_html $self->{files}/html;");
    $change->(qr{/usr/share/correspondence/html/}m,
              "$self->{files}/html/");
    $change->(qr/correspondence_store .*;/m,
              "correspondence_store $dir/store;");
    $change->(qr/^ +correspondence_audit_head .*;\n/m, '');
    $change->(qr/correspondence_key_file .*;/m,
              "correspondence_key_file $dir/keys/portal.key;");
    $change->(qr/(correspondence_postgres\s+)"host=\S+/m,
              sub { "$1\"$pg" });
    $change->(qr/correspondence_redis .*;/m,
              "correspondence_redis unix:$redis;");
    $change->(qr/correspondence_captcha .*;/m,
              "correspondence_captcha $self->{captcha};");
    $change->(qr{https://[a-z0-9.]+\.(?:ir|io|com)(?=/)}m, $base);
    $change->(qr{\@/etc/nginx/correspondence/}m, "\@$dir/secrets/");

    my $ipv6 = grep { /::1/ } loopback();

    # no TLS, and nothing that redirects to it; older trees had none

    $change->(qr/^    server \{\n(?:        .*\n)*        return .*\n    \}\n/m,
              '');
    $change->(qr/^ +ssl_.*;\n/m, '');
    $change->(qr/^ +listen +(?:443|80)\b.*;/m,
              "    listen 127.0.0.1:$self->{port};");
    $change->(qr/^ +listen +\[::\]:(?:443|80)\b.*;\n/m,
              $ipv6 ? "    listen [::1]:$self->{port};\n" : '');
    $change->(qr/^ +server_name .*;/m,
              "    server_name localhost;\n" . ($o{server} // ''));

    $change->(qr/^events/m, "$o{main}\nevents") if $o{main};
    $change->(qr/^http \{/m, "http {\n$o{http}") if $o{http};
    $change->(@$_) for @{ $o{replace} // [] };

    $self->write_file("$dir/nginx/nginx.conf", $text, 0600);
}


sub nginx_command {
    my ($self, $log, @more) = @_;
    my $dir = $self->{dir};

    # before: what runs it, a debugger say

    return (@{ $self->{before} // [] }, $self->{nginx}, '-p', "$dir/nginx", '-c',
            "$dir/nginx/nginx.conf", '-e', "$dir/logs/$log.log", @more);
}


# What "nginx -t" says, and whether it is well.

sub test_conf {
    my ($self) = @_;
    my $log = "$self->{dir}/logs/test.out";

    unlink $log;

    my $ok = system(join(' ', map { quotemeta }
                         $self->as_user, $self->nginx_command('test', '-t'))
                    . ' > ' . quotemeta($log) . ' 2>&1') == 0;

    return ($ok, slurp($log));
}


sub start_nginx {
    my ($self, %o) = @_;

    $self->port_free('PORT', $self->{port});

    my ($ok, $said) = $self->test_conf;
    die "nginx does not take its configuration:\n$said" if !$ok;

    $self->spawn('nginx', 'TERM', $self->nginx_command('error'));
    $self->wait_ready('nginx', 30, sub { answers($self->{port}, '/') });

    # it answers before its workers have reached their servers; whoever
    # wants to see it without them does not wait long

    wait_for($o{ready} // 5, sub { answers($self->{port}, '/health', 200) });
}


# Processes.

sub spawn {
    my ($self, $name, $at_death, @command) = @_;
    my @as = $self->{uid} == $> ? ()
             : ("--reuid=$self->{uid}", "--regid=$self->{gid}",
                '--clear-groups');

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        # a Ctrl-C is for us, who stop the others in order; when we die
        # the kernel tells them

        setpgid(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP QUIT PIPE CHLD);
        chdir $self->{dir};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/logs/$name.log";
        open STDERR, '>&', \*STDOUT;
        %ENV = $self->environment;
        exec 'setpriv', '--pdeathsig', $at_death, @as, '--', @command
            or print STDERR "setpriv: $!\n";
        POSIX::_exit(127);
    }

    push @{ $self->{children} }, { name => $name, pid => $pid };
    return $pid;
}


# What the servers see of our environment: nothing of ours that would
# change what they do (PG*, LC_*, proxies).

sub environment {
    my ($self) = @_;

    return (
        PATH   => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin'
                  . ':/bin',
        LC_ALL => 'C.UTF-8',
        HOME   => $self->{home},
        (map { defined $ENV{$_} ? ($_ => $ENV{$_}) : () }
             qw(PERL5LIB ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS LD_PRELOAD
                CORR_FAULTS)),
    );
}


sub wait_ready {
    my ($self, $name, $seconds, $ready) = @_;

    wait_for($seconds, sub { $ready->() || $self->ended })
        && !$self->ended
        or die "$name did not start; $self->{dir}/logs/$name.log ends:\n"
               . tail("$self->{dir}/logs/$name.log");
}


# The first child that ended by itself, if any.

sub ended {
    my ($self) = @_;

    for my $child (@{ $self->{children} }) {
        next if defined $child->{status};
        waitpid($child->{pid}, WNOHANG) == $child->{pid} or next;
        $child->{status} = $?;
    }

    my ($first) = grep { defined $_->{status} } @{ $self->{children} };
    return $first;
}


sub child {
    my ($self, $name) = @_;

    my ($child) = grep { $_->{name} eq $name && !defined $_->{status} }
                  @{ $self->{children} };
    return $child ? $child->{pid} : undef;
}


# Stops one server.  Returns its wait status (undef: it had not run).

sub stop_one {
    my ($self, $name, @signals) = @_;
    my ($child) = grep { $_->{name} eq $name } @{ $self->{children} };

    return if !$child;
    @{ $self->{children} } = grep { $_ != $child } @{ $self->{children} };

    for my $step (@signals, [ KILL => 10 ]) {
        last if defined $child->{status};

        my ($signal, $seconds) = @$step;
        kill $signal, $child->{pid};

        wait_for($seconds, sub {
            waitpid($child->{pid}, WNOHANG) == $child->{pid} or return 0;
            $child->{status} = $?;
            return 1;
        });
    }

    return $child->{status};
}


sub stop_nginx    { $_[0]->stop_one('nginx', [ QUIT => 15 ], [ TERM => 5 ]) }
sub stop_sandbox  { $_[0]->stop_one('sandbox', [ TERM => 5 ]) }
sub stop_redis    { $_[0]->stop_one('redis', [ TERM => 10 ]) }
sub stop_postgres { $_[0]->stop_one('postgres', [ INT => 30 ]) }


sub stop {
    my ($self) = @_;

    $self->stop_nginx;
    $self->stop_sandbox;
    $self->stop_redis;
    $self->stop_postgres;

    remove_tree($self->{sockets}) if $self->{sockets_elsewhere};
}


# Small things.

sub run_logged {
    my ($self, $log, @command) = @_;

    my $status = system(join(' ', map { quotemeta } @command) . ' >> '
                        . quotemeta($log) . ' 2>&1');

    die "$command[0] failed; $log ends:\n" . tail($log) if $status != 0;
}


sub port_free {
    my ($self, $name, $port) = @_;

    $port =~ /^[0-9]{1,5}$/ && $port > 0 && $port < 65536
        or die "$name is \"$port\", not a port\n";

    for my $address (loopback()) {
        my $s = IO::Socket::IP->new(LocalHost => $address =~ tr/[]//dr,
                                    LocalPort => $port, Listen => 1,
                                    ReuseAddr => 1);
        next if $s;

        die "port $port is taken by another program; take another: "
            . "make run $name=...\n" if $! == EADDRINUSE;
        die "port $port is not allowed here; take one above 1023: "
            . "make run $name=...\n" if $! == EACCES;
        die "port $port: $!\n";
    }

    my $first = (slurp('/proc/sys/net/ipv4/ip_unprivileged_port_start')
                 || 1024) + 0;

    die "port $port needs root, and nothing here runs as root; take one "
        . "from $first: make run $name=...\n"
        if $port < $first && $self->{uid} != 0;
}


# "127.0.0.1", and "[::1]" where there is IPv6.

sub loopback {
    our @loopback;

    if (!@loopback) {
        @loopback = '127.0.0.1';
        push @loopback, '[::1]'
            if IO::Socket::IP->new(LocalHost => '::1', LocalPort => 0,
                                   Listen => 1);
    }

    return @loopback;
}


# Below those the kernel gives away by itself: whoever connects somewhere may
# get one of these while the server that listens there is down.  Each once.

sub free_port {
    my ($end) = slurp('/proc/sys/net/ipv4/ip_local_port_range') =~ /^([0-9]+)/;
    my $n = $end - 10000;
    our %given;

    for (1 .. 1000) {
        my $port = $n < 1000 ? 0 : 10000 + unpack('L', random_bytes(4)) % $n;
        my $s = IO::Socket::IP->new(LocalHost => '127.0.0.1',
                                    LocalPort => $port, Listen => 1) or next;

        return $s->sockport if !$given{ $s->sockport }++;
    }

    die "no free port: $!\n";
}


# Does an HTTP server answer there (with that status)?

sub answers {
    my ($port, $path, $status) = @_;

    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port,
                                Timeout => 2) or return 0;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $s, "GET $path HTTP/1.0\r\nHost: localhost\r\n\r\n";
    IO::Select->new($s)->can_read(10) or return 0;
    sysread $s, my $bytes, 64;
    return ($bytes // '') =~ m{^HTTP/1\.\d ([0-9]+)}
           && $1 == ($status // $1);
}


sub wait_for {
    my ($seconds, $what) = @_;
    my $until = time + $seconds;
    my $pause = 0.01;

    while (1) {
        return 1 if $what->();
        return 0 if time >= $until;
        sleep $pause;
        $pause *= 1.5 if $pause < 0.2;
    }
}


sub processors {
    my $n = `getconf _NPROCESSORS_ONLN 2>/dev/null` // 1;
    return $n > 0 ? $n + 0 : 1;
}


sub random_bytes {
    my ($n) = @_;

    open my $f, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    read($f, my $bytes, $n) == $n or die "/dev/urandom: $!\n";
    return $bytes;
}


sub base64 {
    require MIME::Base64;
    return MIME::Base64::encode_base64($_[0], '');
}


sub slurp {
    my ($file) = @_;

    open my $f, '<:raw', $file or return '';
    local $/;
    return scalar(<$f>) // '';
}


sub tail {
    my ($file) = @_;
    my @lines = split /^/, slurp($file);

    return join '', @lines > 12 ? @lines[-12 .. -1] : @lines;
}


1;
