package Torture::Failover;

# A portal whose engines have a second one, all on this machine:
#
#   PostgreSQL a and b    a primary and its synchronous standby, each at an
#                         address of its own; before them in the list of
#                         hosts one that answers nothing
#   Redis a and b         a master and its replica, watched by three
#                         Sentinels, the first of which answers nothing
#   nodes 1 and 2         nginx on these engines and one file store
#
#   my $f = Torture::Failover->new(redis => 0, clients => 4);
#   $f->{portal}                      a Portal; its database is the primary
#   $f->lose_postgres;                kill -9, then the standby is promoted
#   $f->return_postgres;              the other one, made anew, follows
#   $f->lose_redis; $f->return_redis; $f->lose_node(1); $f->return_node(1);
#   $f->done;
#
# new() takes postgres, redis, nodes (0: a single one), blackhole (0: no such
# hosts), timeouts (more words of correspondence_postgres), tops (the tree of
# each node, when they differ), and what Portal->new takes.  lose_* return
# when it happened.

use strict;
use warnings;
use utf8;

use DBI;
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

use Portal;
use Torture;

use constant SENTINELS => 3;


sub new {
    my ($class, %o) = @_;
    my $self = bless {
        postgres => 1, redis => 1, nodes => 1, blackhole => 1,
        timeouts => '', detect => 1, down_after => 1000, workers => 2,
        tops => [], %o,
        net => join('.', 127, map { 1 + int rand 250 } 1 .. 2),
    }, $class;
    my %ports = map { $_ => Instance::free_port() } qw(a b);
    my $p = $self->{portal} = Torture::Failover::Portal->new(
        start => 0, workers => $self->{workers}, level => 'notice',
        top => $self->{tops}[0],
        http => "correspondence_login_rate 100000;\n"
                . "correspondence_codes_per_address_hour 100000;\n"
                . "correspondence_relay_lease 15s;\n",
        postgres => [ "listen_addresses=$self->{net}.1", postgres_words() ],
        redis => [ '--port', $ports{a}, '--save', '' ]);

    $p->{cluster} = $self;
    $p->allow(qr/exited on signal 9/, qr/terminated by signal 9/);

    my %of = (a => $p->instance);

    $of{b} = $self->machine('b') if $self->{postgres} || $self->{redis};
    $self->{machines} = \%of;
    $self->{pg} = { map { $_ => { name => $_, instance => $of{$_},
        address => "$self->{net}." . ($_ eq 'a' ? 1 : 2) } } keys %of };
    $self->{rd} = { map { $_ => { name => $_, instance => $of{$_},
        port => $ports{$_} } } keys %of };

    $self->two_postgres if $self->{postgres};
    $self->two_redis if $self->{redis};
    $self->configure;
    $self->second_node if $self->{nodes};
    $self->start_node($_) for $self->nodes;

    return $self;
}


sub postgres_words {
    return ('wal_keep_size=64MB', 'wal_sender_timeout=5s',
            'wal_receiver_timeout=5s', 'wal_retrieve_retry_interval=200ms');
}


# A directory with servers of its own, which die with us.

sub machine {
    my ($self, $name, %o) = @_;
    my $p = $self->{portal};
    my $i = $p->instance;
    my $m = Instance->new(
        (map { $_ => $i->{$_} } qw(top older uid gid workers captcha level
                                   nginx gateway_port)),
        dir => $p->dir . "/$name", port => 0, %o);

    $m->prepare;
    push @{ $p->{machines} }, $m;
    return $m;
}


# PostgreSQL.

sub primary { $_[0]->{pg}{ $_[0]->{primary} // 'a' } }
sub standby { $_[0]->{pg}{ ($_[0]->{primary} // 'a') eq 'a' ? 'b' : 'a' } }


sub two_postgres {
    my ($self) = @_;
    my $p = $self->{portal};
    my $i = $p->instance;
    my $password = unpack 'H*', Instance::random_bytes(12);
    my $hba = $p->dir . '/pg/pg_hba.conf';

    # the portal comes over TCP, with a password

    $i->write_file("$i->{dir}/secrets/postgres", "$password\n", 0600);
    $i->write_file($hba, Instance::slurp($hba)
                         . "host correspondence correspondence_portal "
                         . "127.0.0.0/8 scram-sha-256\n", 0600);
    $p->secret($password);
    $p->db->do("ALTER ROLE correspondence_portal PASSWORD '$password'");
    $p->db->do('SELECT pg_reload_conf()');
    $self->follow;
}


# The server that is not the primary becomes its synchronous standby.

sub follow {
    my ($self) = @_;
    my ($x, $of) = ($self->standby, $self->primary);
    my $i = $x->{instance};
    my $data = "$i->{dir}/pg";

    remove_tree($data);
    $i->run_logged("$i->{dir}/logs/basebackup.log", $i->as_user,
                   Instance::postgres_bin('/none') . '/pg_basebackup',
                   '-h', $of->{instance}{sockets}, '-U', 'postgres',
                   '-D', $data, '-c', 'fast', '--no-sync');
    $i->write_file("$data/postgresql.auto.conf",
                   "primary_conninfo = 'host=$of->{instance}{sockets} "
                   . "user=postgres application_name=$x->{name}'\n", 0600);
    $i->write_file("$data/standby.signal", '', 0600);
    $self->start_postgres($x);
    $self->synchronous($x->{name});
}


sub synchronous {
    my ($self, $name) = @_;
    my $db = $self->{portal}->db;

    $db->do("ALTER SYSTEM SET synchronous_standby_names = '$name'");
    $db->do('SELECT pg_reload_conf()');
    return if $name eq '';

    wait_until(30, sub {
        $db->selectrow_array(q{SELECT 1 FROM pg_stat_replication
            WHERE application_name = ? AND sync_state = 'sync'}, undef, $name)
    }) or die "the standby $name does not follow\n";
}


sub start_postgres {
    my ($self, $x) = @_;

    Torture->new(portal => $self->{portal}, instance => $x->{instance})
           ->again(sub { $x->{instance}->start_postgres(
               options => [ "listen_addresses=$x->{address}",
                            postgres_words() ]) });
}


# Its machine ends, without a word to anyone when it vanishes; somebody
# notices after a while and promotes the standby.

sub lose_postgres {
    my ($self, %o) = @_;
    my $old = $self->primary;
    my $at = time;

    $self->vanish($old->{address}) if $o{vanish};
    $old->{instance}->stop_one('postgres', [ KILL => 5 ]);
    sleep $self->{detect};
    $self->promote;
    $self->{took} = time - $at;
    return $at;
}


sub promote {
    my ($self) = @_;
    my $new = $self->standby;
    my $i = $new->{instance};

    $i->run_logged("$i->{dir}/logs/promote.log", $i->as_user,
                   Instance::postgres_bin('/none') . '/pg_ctl', 'promote',
                   '-D', "$i->{dir}/pg", '-t', 60);
    $self->{primary} = $new->{name};
}


# As the superuser of that one.

sub connect {
    my ($self, $x) = @_;

    my $db = DBI->connect(
        "dbi:Pg:dbname=correspondence;host=$x->{instance}{sockets}",
        'postgres', '', { RaiseError => 1, PrintError => 0,
                          AutoInactiveDestroy => 1 });

    $db->do('SET search_path = correspondence');
    return $db;
}


sub return_postgres {
    my ($self) = @_;

    $self->postgres_gone($self->standby);
    $self->appear;
    $self->follow;
}


# The only synchronous standby is away for a while: what is written waits.

sub lose_standby {
    my ($self, $seconds) = @_;
    my $x = $self->standby;
    my $at = time;

    $x->{instance}->stop_one('postgres', [ KILL => 5 ]);
    $self->postgres_gone($x);
    sleep $seconds;
    $self->start_postgres($x);
    $self->synchronous($x->{name});
    $self->{took} = time - $at;
    return $at;
}


# The last of its processes lets go of the shared memory.

sub postgres_gone {
    my ($self, $x) = @_;
    my $data = "$x->{instance}{dir}/pg";

    wait_until(20, sub {
        !grep { (readlink($_) // '') eq $data } glob '/proc/[0-9]*/cwd'
    }) or die "PostgreSQL does not go away\n";
}


# Packets to and from an address are dropped.  The whole test has a network
# of its own then (own_network), which ends with it.

sub own_network {
    return if $^C || $> != 0 || $ENV{CORR_TORTURE_NETWORK};

    $ENV{CORR_TORTURE_NETWORK} = 1;
    system('unshare', '-n', 'true') == 0 or return;
    exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh',
         $^X, $0, @ARGV;
}


sub can_vanish {
    return $ENV{CORR_TORTURE_NETWORK}
           && system('nft list tables > /dev/null 2>&1') == 0;
}


sub vanish {
    my ($self, $address) = @_;

    system('nft', "add table inet gone; "
           . 'add chain inet gone in { type filter hook input priority 0; }; '
           . "add rule inet gone in ip daddr $address drop; "
           . "add rule inet gone in ip saddr $address drop") == 0
        or die "nft does not drop packets\n";
    $self->{vanished} = 1;
}


sub appear {
    my ($self) = @_;

    system('nft', 'delete table inet gone') if delete $self->{vanished};
}


# Redis.

sub master  { $_[0]->{rd}{ $_[0]->{master} // 'a' } }
sub replica { $_[0]->{rd}{ ($_[0]->{master} // 'a') eq 'a' ? 'b' : 'a' } }


sub two_redis {
    my ($self) = @_;
    my $p = $self->{portal};

    $self->return_redis;
    $self->{sentinels} = [ map { Instance::free_port() } 1 .. SENTINELS ];

    $self->start_sentinel($_) for 1 .. SENTINELS;
    wait_until(30, sub {
        !grep { !$self->watched($_) } @{ $self->{sentinels} }
    }) or die "the Sentinels do not find each other\n";
}


sub start_sentinel {
    my ($self, $n) = @_;
    my $i = $self->{portal}->instance;
    my $port = $self->{sentinels}[$n - 1];
    my $conf = "$i->{dir}/redis/sentinel$n.conf";

    $i->write_file($conf, <<"END", 0600) if !-e $conf;
port $port
bind 127.0.0.1
sentinel monitor desk 127.0.0.1 $self->{rd}{a}{port} 2
sentinel down-after-milliseconds desk $self->{down_after}
sentinel failover-timeout desk 6000
END

    $i->spawn("sentinel$n", 'TERM', 'redis-server', $conf, '--sentinel');
    $i->wait_ready("sentinel$n", 20, sub { redis($port, 'PING') eq 'PONG' });
}


# Does it know the other Sentinels and the replica?

sub watched {
    my ($self, $port) = @_;
    my $said = redis($port, qw(INFO sentinel));

    return $said =~ /status=ok,.*slaves=[1-9],sentinels=${\ SENTINELS}/;
}


# A command to a Redis or a Sentinel; '' when it is not there.

sub redis {
    my ($port, @command) = @_;
    my $said = '';

    open my $f, '-|', 'sh', '-c', 'exec timeout 5 redis-cli -p "$@" '
                      . '2> /dev/null', 'sh', $port, @command
        or die "sh: $!\n";
    { local $/; $said = <$f> // ''; }
    close $f;
    chomp $said;
    return $said;
}


sub start_redis {
    my ($self, $x, @more) = @_;

    $x->{instance}->start_redis(options => [ '--port', $x->{port},
                                             '--save', '', @more ]);
}


sub lose_redis {
    my ($self) = @_;
    my ($old, $new) = ($self->master, $self->replica);
    my $at = time;

    $old->{instance}->stop_one('redis', [ KILL => 5 ]);
    $self->elected($new);
    $self->{took} = time - $at;
    return $at;
}


# It answers nothing for a while; when it does again it believes itself the
# master, until a Sentinel tells it.

sub hang_redis {
    my ($self) = @_;
    my ($old, $new) = ($self->master, $self->replica);
    my $at = time;

    kill STOP => $old->{instance}->child('redis');
    $self->elected($new);
    $self->{took} = time - $at;
    return $at;
}


sub wake_redis {
    my ($self) = @_;

    kill CONT => $self->replica->{instance}->child('redis');
    wait_until(60, sub {
        redis($self->replica->{port}, 'ROLE') =~ /^slave/
    }) or die "the Sentinels do not tell a former master\n";
    $self->in_step;
}


sub elected {
    my ($self, $new) = @_;

    wait_until(60, sub {
        redis($new->{port}, 'ROLE') =~ /^master/
    }) or die "the Sentinels chose no master\n";
    $self->{master} = $new->{name};
}


# It follows the master, as its Sentinels would tell it.

sub return_redis {
    my ($self) = @_;
    my ($x, $of) = ($self->replica, $self->master);

    $self->start_redis($x, '--replicaof', "127.0.0.1 $of->{port}");
    $self->in_step;
}


sub in_step {
    my ($self) = @_;

    wait_until(40, sub {
        redis($self->replica->{port}, qw(INFO replication))
            =~ /master_link_status:up/
    }) or die "the replica does not follow\n";

    return if !$self->{sentinels};

    wait_until(60, sub { $self->watched($self->{sentinels}[1]) })
        or die "the Sentinels do not see the replica\n";
}


# nginx.

sub conf {
    my ($self) = @_;
    my ($p, $i) = ($self->{portal}, $self->{portal}->instance);
    my (%conf, @replace, @hosts, @ports);

    if ($self->{postgres}) {
        @hosts = ((map { $self->{pg}{$_}{address} } qw(a b)));
        @ports = (5432, 5432);

        if ($self->{blackhole}) {
            unshift @hosts, '127.0.0.1';
            unshift @ports, $self->hole;
        }

        $conf{postgres} = sprintf 'host=%s port=%s target_session_attrs='
            . 'read-write password_file=%s/secrets/postgres',
            join(',', @hosts), join(',', @ports), $i->{dir};
        push @replace, [ qr/connections=3;/,
                         "connections=3 $self->{timeouts};" ];
    }

    if ($self->{redis}) {
        my @sentinels = map { "127.0.0.1:$_" } @{ $self->{sentinels} };

        $sentinels[0] = '127.0.0.1:' . $self->hole if $self->{blackhole};
        push @replace, [ qr/correspondence_redis .*;/,
                         'correspondence_redis '
                         . join('', map { "sentinel=$_ " } @sentinels)
                         . 'master=desk;' ];
    }

    return (%conf, replace => \@replace,
            http => $p->{options}{http});
}


# A port where nobody accepts.

sub hole {
    my ($self) = @_;
    my $port = Instance::free_port();
    my $proxy = Portal::Proxy->new(listen => $port, to => $port);

    $proxy->mode('blackhole');
    $self->{portal}{proxies}{"hole$port"} = $proxy;
    return $port;
}


sub configure {
    my ($self) = @_;

    $self->{conf} = { $self->conf };
    $self->{portal}->instance->write_conf(%{ $self->{conf} });
}


sub nodes { $_[0]->{nodes} ? (1, 2) : 1 }

sub node { $_[1] == 1 ? $_[0]->{portal}->instance : $_[0]->{node} }

sub bases {
    my ($self) = @_;

    return map { 'http://localhost:' . $self->node($_)->{port} }
           $self->nodes;
}


# Nothing of its own but logs: keys, secrets and files are shared.

sub second_node {
    my ($self) = @_;
    my $i = $self->{portal}->instance;
    my $n = $self->{node} = $self->machine(
        'n2', port => Instance::free_port(),
        $self->{tops}[1] ? (top => $self->{tops}[1]) : ());

    for my $shared (qw(store keys secrets)) {
        remove_tree("$n->{dir}/$shared");
        symlink "$i->{dir}/$shared", "$n->{dir}/$shared"
            or die "$shared: $!\n";
    }

    $n->write_conf(%{ $self->{conf} },
                   $self->{postgres} ? ()
                       : (postgres => "host=$i->{sockets} port=5432"),
                   $self->{redis} ? ()
                       : (redis => "$i->{sockets}/redis.sock"));
}


sub start_node {
    my ($self, $n) = @_;
    my $i = $self->node($n);

    Torture->new(portal => $self->{portal}, instance => $i)
           ->again(sub { $i->start_nginx(ready => 20) });
}


# The machine with all that runs on it, at once.

sub lose_node {
    my ($self, $n) = @_;
    my $i = $self->node($n);
    my $master = $i->child('nginx');
    my @workers = split ' ',
        Instance::slurp("/proc/$master/task/$master/children");
    my $at = time;

    kill KILL => $master, @workers;
    $i->stop_one('nginx', [ KILL => 5 ]);
    $self->{lost}{$n} = 1;
    return $at;
}


sub return_node {
    my ($self, $n) = @_;

    $self->start_node($n);
    delete $self->{lost}{$n};
}


# The nodes that there are.

sub well {
    my ($self, $seconds) = @_;

    return wait_until($seconds // 30, sub {
        !grep { !Instance::answers($self->node($_)->{port}, '/health', 200) }
              grep { !$self->{lost}{$_} } $self->nodes;
    });
}


sub done {
    my ($self) = @_;

    $self->appear;
    $self->{portal}->done;
}


package Torture::Failover::Portal;

our @ISA = 'Portal';


# The database that is the primary now.

sub db {
    my ($self) = @_;
    my $at = $self->{cluster} && $self->{cluster}{pg}
             ? $self->{cluster}->primary->{instance}{sockets}
             : $self->{instance}{sockets};

    $self->{db} = undef if $at ne ($self->{database} // $at);
    $self->{database} = $at;
    return $self->SUPER::db;
}


sub logs { $_[0]->{dir}, map { $_->{dir} } @{ $_[0]->{machines} // [] } }


sub DESTROY {
    my ($self) = @_;

    if ($self->{owner} == $$) {
        local ($?, $@, $!);
        $_->stop for @{ delete $self->{machines} // [] };
    }

    $self->SUPER::DESTROY;
}


1;
