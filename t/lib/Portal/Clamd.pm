package Portal::Clamd;

# A double of clamd: what clamd(8) says of INSTREAM, and what one meets on a
# bad day.
#
#   my $d = Portal::Clamd->new(listen => "$dir/clamd.sock");    # or a port
#   $d->behave(limit => 30000);      # of connections from now on
#   my @seen = $d->seen;             # of each connection that has ended
#   $d->stop; $d->start;
#
# behave() takes
#   limit => N         StreamMaxLength: its sentence, and the end
#   drop => N          hangs up after so many bytes
#   silent => 1        takes everything and never answers
#   late => SECONDS    answers after a while
#   read_late => S     begins to read after a while
#   split => 1         the answer comes byte by byte
#   say => TEXT        this instead of a verdict (with its NUL, if any)
#   early => TEXT      this at the first chunk, in the middle of the file
#
# seen() gives { bytes, sha256, whole, verdict, running (connections at its
# beginning, itself included) }.

use strict;
use warnings;

use Digest::SHA;
use IO::Handle;
use Mojo::IOLoop;
use Mojo::JSON qw(decode_json encode_json);
use Time::HiRes qw(sleep);


# The test file of EICAR, in pieces: no scanner stops at this file.

sub eicar {
    return join '', 'X5O!P%@AP[4\PZX54(P^)7CC)7}', '$EICAR-STANDARD',
                    '-ANTIVIRUS-TEST-FILE!', '$H+H*';
}

use constant VIRUS => 'Eicar-Test-Signature';


sub new {
    my ($class, %o) = @_;
    my $self = bless { %o, owner => $$ }, $class;

    $self->{journal} //= "$o{dir}/clamd.journal";
    $self->{orders} //= "$o{dir}/clamd.orders";
    $self->behave;
    $self->start;
    return $self;
}


sub start {
    my ($self) = @_;

    pipe my $ready, my $says or die "pipe: $!\n";
    $self->{pid} = fork // die "fork: $!\n";

    if ($self->{pid} == 0) {
        close $ready;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP ALRM);
        alarm 0;
        eval { $self->serve($says); 1 } or print STDERR "clamd: $@";
        POSIX::_exit(1);
    }

    close $says;
    defined readline $ready or die "the double of clamd does not start\n";
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} // return;

    kill TERM => $pid;
    waitpid $pid, 0;
    unlink $self->{listen} if $self->{listen} =~ m{/};
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $!, $@);
    $self->stop if $self->{owner} == $$;
}


sub behave {
    my ($self, %how) = @_;

    open my $f, '>', "$self->{orders}.new" or die "$self->{orders}: $!\n";
    print $f encode_json(\%how);
    close $f;
    rename "$self->{orders}.new", $self->{orders} or die "$!\n";
}


sub seen {
    my ($self) = @_;

    open my $f, '<', $self->{journal} or return;
    return map { decode_json($_) } <$f>;
}


sub forget { unlink $_[0]{journal} }


# From here on in the process of its own.

sub serve {
    my ($self, $says) = @_;
    my $loop = Mojo::IOLoop->singleton;

    $loop->reset;
    $loop->server({
        $self->{listen} =~ m{/} ? (path => $self->{listen})
                                : (address => '127.0.0.1',
                                   port => $self->{listen}),
    }, sub { $self->connection($_[1]) });

    chmod 0666, $self->{listen} if $self->{listen} =~ m{/};
    print $says "\n";
    close $says;
    $loop->start;
}


sub connection {
    my ($self, $stream) = @_;
    my $c = { in => '', file => '', bytes => 0, whole => 0,
              running => ++$self->{running}, stream => $stream };

    open my $f, '<', $self->{orders} or die "$self->{orders}: $!\n";
    $c->{how} = decode_json(<$f>);

    $stream->timeout(0);
    $stream->on(close => sub {
        $self->{running}--;
        $self->note($c);
    });
    $stream->on(error => sub { });
    $stream->on(read => sub {
        $c->{in} .= $_[1];
        $self->hear($c) if !$c->{done};
    });

    if ($c->{how}{read_late}) {
        $stream->start;
        $stream->stop;
        Mojo::IOLoop->timer($c->{how}{read_late} => sub { $stream->start });
    }
}


sub note {
    my ($self, $c) = @_;
    my $sha = Digest::SHA->new(256);

    $sha->add($c->{file});
    open my $f, '>>', $self->{journal} or die "$self->{journal}: $!\n";
    syswrite $f, encode_json({
        bytes => $c->{bytes}, whole => $c->{whole}, running => $c->{running},
        verdict => $c->{verdict}, sha256 => $sha->hexdigest }) . "\n";
}


# The command, then chunks until an empty one.

sub hear {
    my ($self, $c) = @_;
    my $how = $c->{how};

    if (!$c->{command}) {
        $c->{in} =~ s/^([zn])([A-Z]+)(\0|\n)// or return;
        return $self->answer($c, 'UNKNOWN COMMAND')
            if "$1$3" ne "z\0" || $2 ne 'INSTREAM';
        $c->{command} = $2;
    }

    while (length $c->{in} >= 4) {
        my $n = unpack 'N', $c->{in};

        if ($n == 0) {
            $c->{whole} = 1;
            return $self->verdict($c);
        }

        if ($how->{limit} && $c->{bytes} + $n > $how->{limit}) {
            return $self->answer($c, 'INSTREAM size limit exceeded. ERROR');
        }

        return if length $c->{in} < 4 + $n;

        $c->{file} .= substr $c->{in}, 4, $n;
        $c->{bytes} += $n;
        substr $c->{in}, 0, 4 + $n, '';

        return $self->answer($c, $how->{early}, '') if defined $how->{early};

        if (defined $how->{drop} && $c->{bytes} >= $how->{drop}) {
            $c->{done} = 1;
            return $c->{stream}->close;
        }
    }
}


sub verdict {
    my ($self, $c) = @_;
    my $how = $c->{how};

    return if $how->{silent};

    my $infected = index($c->{file}, eicar()) >= 0;
    my $say = sub {
        defined $how->{say}
            ? $self->answer($c, $how->{say}, '')
            : $self->answer($c, 'stream: '
                                . ($infected ? VIRUS . ' FOUND' : 'OK'));
    };

    return $say->() if !$how->{late};
    Mojo::IOLoop->timer($how->{late} => $say);
}


sub answer {
    my ($self, $c, $text, $end) = @_;
    my @pieces = $text . ($end // "\0");

    return if !$c->{stream}->handle;

    $c->{done} = 1;
    $c->{verdict} = $text;
    @pieces = split //, $pieces[0] if $c->{how}{split};

    my $write; $write = sub {
        my $piece = shift @pieces // return $c->{stream}->close_gracefully;

        $c->{stream}->write($piece => sub {
            Mojo::IOLoop->timer((@pieces ? 0.002 : 0) => $write);
        });
    };

    $write->();
}


1;
