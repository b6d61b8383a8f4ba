package Portal::Proxy;

# A proxy that misbehaves on command, in a process of its own, to stand
# before PostgreSQL, Redis or a gateway.
#
#   my $proxy = Portal::Proxy->new(listen => '/tmp/x/.s.PGSQL.5432',
#                                  to     => '/tmp/y/.s.PGSQL.5432');
#   my $proxy = Portal::Proxy->new(listen => 8123, to => 8090);
#
# A path is a Unix socket, a number a port of 127.0.0.1.
#
#   $proxy->mode('stall');   since now, for connections there are and new:
#
#     pass        as if it were not there
#     byte        every byte is a packet of its own, both ways
#     stall       nothing more is passed on; connections stay open
#     drop        what is open is reset, what comes is closed at once
#     half        no more from the server: its side is closed, ours is read
#     lose        requests get through; the first byte of an answer closes
#                 the connection
#     refuse      nobody listens any more; what is open is reset
#     blackhole   as stall, and nobody accepts new connections
#
#   $proxy->cut(100);        closes each connection after 100 more bytes
#                            from the server (mode pass)
#   $proxy->hold(2);         passes two more answers; since the third they are
#                            kept back until another mode is set
#   $proxy->spoil('ERROR');  behind what is kept back and has this in it comes
#                            a message that PostgreSQL does not know
#   $proxy->counts           { accepted, open, up, down } since the start,
#                            and kept: bytes since the last hold()
#   $proxy->stop;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(WNOHANG);
use Socket;

use constant CHUNK => 65536;

my %modes = map { $_ => 1 } qw(pass byte stall drop half lose refuse
                               blackhole);


sub new {
    my ($class, %o) = @_;

    socketpair my $mine, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    my $worker = bless { to => $o{to}, address => $o{listen},
                         owner => $o{owner}, mode => 'pass', pairs => {},
                         accepted => 0, up => 0, down => 0, kept => 0 },
                       "$class\::Worker";

    # listening before the fork: who returns from new() can connect

    $worker->listen;

    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        close $mine;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        eval { $worker->run($its) };
        print STDERR "proxy: $@" if $@;
        POSIX::_exit(0);
    }

    close $its;
    close $worker->{listener};
    $mine->autoflush(1);

    return bless { pid => $pid, control => $mine, owner => $$ }, $class;
}


sub mode {
    my ($self, $mode) = @_;

    $modes{$mode} or die "no such mode: $mode\n";
    $self->say(mode => $mode);
}


sub cut    { $_[0]->say(cut => $_[1]) }
sub hold   { $_[0]->say(hold => $_[1]) }
sub spoil  { $_[0]->say(spoil => $_[1]) }
sub counts { $_[0]->say('counts') }


sub say {
    my ($self, @words) = @_;
    my $control = $self->{control};

    print $control encode_json(\@words), "\n";
    my $line = <$control> // die "the proxy is gone\n";
    return decode_json($line);
}


sub stop {
    my ($self) = @_;

    return if !$self->{pid} || $self->{owner} != $$;
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    $self->{pid} = 0;
}


sub DESTROY {
    local ($?, $@, $!);
    $_[0]->stop;
}


package Portal::Proxy::Worker;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EINPROGRESS);
use IO::Select;
use JSON::PP;
use Socket qw(:DEFAULT IPPROTO_TCP TCP_NODELAY SO_LINGER);


sub listen {
    my ($self, $backlog) = @_;
    my $at = $self->{address};

    if ($at =~ m{^/}) {
        unlink $at;
        $self->{listener} = IO::Socket::UNIX->new(Local => $at,
                                                  Listen => 128);
        chmod 0777, $at;

    } else {
        $self->{listener} = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $at, ReuseAddr => 1,
            Listen => 128);
    }

    $self->{listener} or die "cannot listen at $at: $!\n";
    CORE::listen($self->{listener}, $backlog) if defined $backlog;
    $self->{listener}->blocking(0);
}


sub run {
    my ($self, $control) = @_;

    $self->{control} = $control;
    $control->autoflush(1);

    while (1) {
        my ($read, $write) = $self->interests;
        my ($r, $w) = IO::Select->select($read, $write, undef, 60);

        for my $fh (@{ $r // [] }) {
            if ($fh == $control) {
                $self->obey // return;
            } elsif ($self->{listener} && $fh == $self->{listener}) {
                $self->accept_one;
            } else {
                $self->receive($fh);
            }
        }

        $self->flush($_) for @{ $w // [] };
    }
}


# A pair is { c, s, up, down, c_end, s_end }: sockets of client and server,
# what is yet to be written to the server and to the client.

sub interests {
    my ($self) = @_;
    my $read = IO::Select->new($self->{control});
    my $write = IO::Select->new;
    my $mode = $self->{mode};

    $read->add($self->{listener})
        if $self->{listener} && $mode ne 'blackhole';

    return ($read, $write) if $mode eq 'stall' || $mode eq 'blackhole';

    for my $pair ($self->pairs) {
        $read->add($pair->{c}) if !$pair->{c_end}
                                  && length $pair->{up} < 4 * 65536;
        $read->add($pair->{s}) if !$pair->{s_end}
                                  && length $pair->{down} < 4 * 65536;
        $write->add($pair->{s}) if length $pair->{up};
        $write->add($pair->{c}) if length $pair->{down} && !$self->holds;
    }

    return ($read, $write);
}


sub pairs {
    my ($self) = @_;
    my %seen;

    return grep { !$seen{$_}++ } values %{ $self->{pairs} };
}


sub obey {
    my ($self) = @_;
    my $control = $self->{control};

    # the other side is gone

    my $line = <$control> // return undef;
    my ($word, $value) = @{ decode_json($line) };
    my $answer = {};

    if ($word eq 'mode') {
        $self->change($value);
    } elsif ($word eq 'cut') {
        $_->{left} = $value for $self->pairs;
        $self->{cut} = $value;
    } elsif ($word eq 'hold') {
        $self->change('pass');
        $self->{pass} = $value;
        $self->{kept} = 0;
    } elsif ($word eq 'spoil') {
        $_->{down} .= pack 'CN', 255, 4
            for grep { index($_->{down}, $value) >= 0 } $self->pairs;
    } elsif ($word eq 'counts') {
        $answer = { open => scalar $self->pairs,
                    map { $_ => $self->{$_} } qw(accepted up down kept) };
    }

    print $control encode_json($answer), "\n";
    return 1;
}


sub change {
    my ($self, $mode) = @_;
    my $before = $self->{mode};

    $self->{mode} = $mode;
    $self->{cut} = undef;
    $self->{pass} = undef;

    if ($mode eq 'drop' || $mode eq 'refuse') {
        $self->end($_, 1) for $self->pairs;
    }

    if ($mode eq 'half') {
        shutdown $_->{c}, 1 for $self->pairs;
    }

    if ($mode eq 'refuse') {
        close $self->{listener} if $self->{listener};
        unlink $self->{address} if $self->{address} =~ m{^/};
        $self->{listener} = undef;

    } elsif ($before eq 'blackhole' || $before eq 'refuse') {
        $self->{fillers} = [];
        close $self->{listener} if $self->{listener};
        $self->listen;
    }

    $self->fill_backlog if $mode eq 'blackhole';
}


# The kernel completes connections that wait to be accepted: with a short
# queue that is full already, the next one gets no answer at all.

sub fill_backlog {
    my ($self) = @_;

    close $self->{listener} if $self->{listener};
    $self->listen(0);

    for (1 .. 3) {
        my $s = $self->dial($self->{address});
        push @{ $self->{fillers} }, $s if $s;
    }
}


sub dial {
    my ($self, $to) = @_;
    my ($s, $address);

    if ($to =~ m{^/}) {
        socket $s, PF_UNIX, SOCK_STREAM, 0 or return undef;
        $address = pack_sockaddr_un($to);
    } else {
        socket $s, PF_INET, SOCK_STREAM, 0 or return undef;
        $address = pack_sockaddr_in($to, inet_aton('127.0.0.1'));
    }

    $s->blocking(0);
    connect $s, $address or $! == EINPROGRESS or return undef;
    return $s;
}


sub accept_one {
    my ($self) = @_;
    my $client = $self->{listener}->accept or return;

    $self->{accepted}++;
    return close $client if $self->{mode} eq 'drop';

    my $server = $self->dial($self->{to});
    return close $client if !$server;

    $client->blocking(0);

    for my $s ($client, $server) {
        # fails for Unix sockets, which do not need it
        setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
    }

    my $pair = { c => $client, s => $server, up => '', down => '',
                 left => $self->{cut} };

    $self->{pairs}{$client} = $self->{pairs}{$server} = $pair;
    shutdown $client, 1 if $self->{mode} eq 'half';
}


sub receive {
    my ($self, $fh) = @_;
    my $pair = $self->{pairs}{$fh} or return;
    my $from_server = $fh == $pair->{s};
    my $n = sysread $fh, my $bytes, Portal::Proxy::CHUNK;

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR || $! == EINPROGRESS;
        return $self->end($pair, 1);
    }

    if ($n == 0) {
        $pair->{$from_server ? 's_end' : 'c_end'} = 1;
        return $self->settle($pair);
    }

    if (!$from_server) {
        $self->{up} += $n;
        $pair->{up} .= $bytes;
        return $self->flush($pair->{s});
    }

    return $self->end($pair, 1) if $self->{mode} eq 'lose';
    return if $self->{mode} eq 'half';

    $self->{down} += $n;
    $pair->{down} .= $bytes;
    $self->{pass}-- if defined $self->{pass};
    return $self->flush($pair->{c}) if !$self->holds;
    $self->{kept} += $n;
}


sub holds { defined $_[0]{pass} && $_[0]{pass} < 0 }


sub flush {
    my ($self, $fh) = @_;
    my $pair = $self->{pairs}{$fh} or return;
    my $name = $fh == $pair->{s} ? 'up' : 'down';
    my $limit = $self->{mode} eq 'byte' ? 1 : length $pair->{$name};

    while (length $pair->{$name} && $limit > 0) {
        my $take = $limit;

        if ($name eq 'down' && defined $pair->{left}) {
            return $self->end($pair, 1) if $pair->{left} == 0;
            $take = $pair->{left} if $take > $pair->{left};
        }

        my $n = syswrite $fh, $pair->{$name}, $take;

        if (!defined $n) {
            return if $! == EAGAIN || $! == EINTR || $! == EINPROGRESS;
            return $self->end($pair, 1);
        }

        substr($pair->{$name}, 0, $n, '');
        $pair->{left} -= $n if $name eq 'down' && defined $pair->{left};
        $limit -= $n;
        select undef, undef, undef, 0.00005 if $self->{mode} eq 'byte';
    }

    $self->settle($pair);
}


# Passes the end of one side on when all before it was written.

sub settle {
    my ($self, $pair) = @_;

    return $self->end($pair, 1)
        if defined $pair->{left} && $pair->{left} == 0;

    if ($pair->{c_end} && !length $pair->{up} && !$pair->{s_shut}++) {
        shutdown $pair->{s}, 1;
    }

    if ($pair->{s_end} && !length $pair->{down}) {
        $self->end($pair, 0);
    }
}


sub end {
    my ($self, $pair, $reset) = @_;

    for my $s (@$pair{qw(c s)}) {
        delete $self->{pairs}{$s};
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack('II', 1, 0) if $reset;
        close $s;
    }
}


1;
