package Torture;

# What the torture tests share: a portal whose parts are killed, one after
# the other, while others use it.
#
#   my $p = Torture->portal(…);           # Portal->new, with room to be full
#   my $t = Torture->new(portal => $p, seed => …);
#   $t->kill_one('postgres');             # one of Torture::kinds
#   $t->rounds(40, pause => 1.5);         # all kinds in turn, at random times
#   $t->counts                            # { worker => 5, … }
#
# A kill is a SIGKILL, and whoever is killed is started again, as systemd
# would do it.  Three of the kinds are none: PostgreSQL away for a while,
# nginx reloaded, the store's disk full.

use strict;
use warnings;
use utf8;

use List::Util qw(shuffle);
use Time::HiRes qw(sleep time);

use Portal;

use constant STORE_SIZE => '256m';


sub kinds { qw(worker postgres redis master backend sandbox away reload
               full) }


# The store gets a small disk of its own where that can be had (as root):
# then it can be full.  The mount lives in this process's name space only.

sub own_mounts {
    return if $^C;      # perl -c: nothing is run

    return if $> != 0 || $ENV{CORR_TORTURE_MOUNTS};

    $ENV{CORR_TORTURE_MOUNTS} = 1;
    system('unshare', '-m', 'true') == 0 or return;
    exec 'unshare', '-m', $^X, $0, @ARGV;
}


sub portal {
    my ($class, %o) = @_;
    my $p = Torture::Portal->new(start => 0, workers => 2, %o, http => q{
        correspondence_login_rate 100000;
        correspondence_relay_lease 15s;
    } . ($o{http} // ''));
    my $i = $p->instance;

    if ($ENV{CORR_TORTURE_MOUNTS}
        && system('mount', '-t', 'tmpfs', '-o', 'size=' . STORE_SIZE
                  . ",uid=$i->{uid},gid=$i->{gid},mode=0700", 'store',
                  $p->dir . '/store') == 0)
    {
        $p->{torture_disk} = $p->dir . '/store';
    }

    # what is provoked here, and nothing else

    $p->allow(qr/exited on signal 9/, qr/terminated by signal 9/,
              qr/No space left on device/);
    $p->start_nginx;

    return $p;
}


sub new {
    my ($class, %o) = @_;

    return bless { counts => {}, seconds => 3, %o }, $class;
}


sub counts { $_[0]->{counts} }

sub killed {
    my ($self) = @_;
    my $n = 0;

    $n += $_ for values %{ $self->{counts} };
    return $n;
}


sub kill_one {
    my ($self, $kind) = @_;
    my $method = "kill_$kind";

    $self->$method or return 0;
    $self->{counts}{$kind}++;
    return 1;
}


# All kinds in turn in an order of chance, until there were so many.

sub rounds {
    my ($self, $number, %o) = @_;
    my @kinds = @{ $o{kinds} // [ kinds() ] };
    my @turn;

    while ($number > 0) {
        @turn = shuffle(@kinds) if !@turn;

        sleep(($o{pause} // 1) * (0.2 + rand 1.3));
        $o{between}->() if $o{between};
        $number -= $self->kill_one(shift @turn) ? 1 : 0;

        last if $o{until} && time > $o{until};
    }
}


sub kill_worker {
    my ($self) = @_;
    my @workers = $self->{portal}->workers or return 0;

    return kill KILL => $workers[rand @workers];
}


# Its workers go on for a moment without it; then they go as well, as with a
# service that is started again.

sub kill_master {
    my ($self) = @_;
    my $p = $self->{portal};
    my @workers = $p->workers;

    $p->instance->stop_one('nginx', [ KILL => 5 ]);
    sleep rand 0.5;
    kill KILL => @workers;
    $self->again(sub { $p->start_nginx });
    return 1;
}


sub kill_postgres {
    my ($self) = @_;
    my $i = $self->{portal}->instance;

    $i->stop_one('postgres', [ KILL => 5 ]);
    $self->postgres_gone;
    $self->again(sub { $i->start_postgres });
    return 1;
}


# One of its processes: PostgreSQL ends all others and recovers.

sub kill_backend {
    my ($self) = @_;
    my $pid;

    wait_until(10, sub {
        ($pid) = eval { $self->{portal}->db->selectrow_array(q{
            SELECT pid FROM pg_stat_activity
             WHERE usename = 'correspondence_portal'
             ORDER BY random() LIMIT 1}) };
        return $pid;
    });

    return $pid ? kill KILL => $pid : 0;
}


sub kill_away {
    my ($self) = @_;
    my $i = $self->{portal}->instance;

    $i->stop_one('postgres', [ INT => 20 ]);
    sleep $self->{seconds};
    $self->postgres_gone;
    $self->again(sub { $i->start_postgres });
    return 1;
}


# The last of its processes lets go of the shared memory.

sub postgres_gone {
    my ($self) = @_;
    my $data = $self->{portal}->dir . '/pg';

    wait_until(20, sub {
        !grep { (readlink($_) // '') eq $data } glob '/proc/[0-9]*/cwd'
    }) or die "PostgreSQL does not go away\n";
}


sub kill_redis {
    my ($self) = @_;
    my $i = $self->{portal}->instance;

    $i->stop_one('redis', [ KILL => 5 ]);
    $self->again(sub { $i->start_redis });
    return 1;
}


sub kill_sandbox {
    my ($self) = @_;
    my $p = $self->{portal};

    $p->instance->stop_one('sandbox', [ KILL => 5 ]);
    $self->again(sub { $p->instance->start_sandbox(
        options => [ '--strict', @{ $p->{options}{sandbox} // [] } ]) });
    return 1;
}


sub kill_reload {
    my ($self) = @_;

    return kill HUP => $self->{portal}->nginx_pid;
}


sub kill_full {
    my ($self) = @_;
    my $file = $self->{portal}->dir . '/store/filler';

    return 0 if !$self->{portal}{torture_disk};

    open my $f, '>:raw', $file or die "$file: $!\n";
    while (syswrite $f, "\0" x 65536) { }
    while (syswrite $f, "\0" x 512) { }
    sleep 0.5 + rand 1;
    close $f;
    unlink $file;
    return 1;
}


# A port or a socket may be held for a moment more.

sub again {
    my ($self, $start) = @_;
    my $i = $self->{instance} // $self->{portal}->instance;

    for my $left (reverse 0 .. 4) {
        return if eval { $start->(); 1 };
        my $error = $@;

        $i->ended;
        @{ $i->{children} } = grep { !defined $_->{status} }
                              @{ $i->{children} };
        die $error if !$left;
        sleep 1;
    }
}


# All is well again.

sub settle {
    my ($self) = @_;
    my $p = $self->{portal};

    return wait_until(60, sub {
        Instance::answers($p->port, '/health', 200) });
}


# One whose disk is taken away before its directory is removed.

package Torture::Portal;

our @ISA = 'Portal';

sub DESTROY {
    my ($self) = @_;

    if ($self->{owner} == $$ && $self->{torture_disk}) {
        local ($?, $@, $!);
        system('umount', '-l', delete $self->{torture_disk});
    }

    $self->SUPER::DESTROY;
}


1;
