package Torture::Watch;

# What people see while something is lost: processes that ask for a page of
# somebody who is logged in, again and again, and write down each answer.
#
#   my $w = Torture::Watch->new($portal, $browser, bases => [ … ]);
#   $w->start;
#   …
#   $w->stop;
#   $w->answers($from, $to)     # { 200 => 130, 503 => 12 }
#   $w->outage($from, $to)      # seconds from $from to the first answer
#                               # behind the last one that was not good; 0
#                               # when all were
#   $w->slowest($from, $to)     # seconds
#
# An answer belongs to the time it was asked at.  "none" is no answer, "late"
# none within 60 seconds.  With several bases whoever got no answer asks the
# next one at once, as a load balancer does.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

use Portal;


sub new {
    my ($class, $portal, $browser, %o) = @_;
    my $url = Mojo::URL->new($browser->url('/'));
    my $self = bless {
        portal => $portal, owner => $$,
        path => '/desk/identity', processes => 2,
        every => 0.1, bases => [ $portal->base ], pids => [],
        cookies => join('; ', map { $_->name . '=' . $_->value }
                              @{ $browser->ua->cookie_jar->find($url) }),
        %o }, $class;

    $self->{file} = $portal->dir . "/watch-$$-" . ++our $number;
    return $self;
}


sub start {
    my ($self) = @_;

    for my $n (1 .. $self->{processes}) {
        my $pid = fork // die "fork: $!\n";

        if ($pid == 0) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            alarm 0;
            eval { $self->ask_on($n); 1 } or print STDERR "watch: $@";
            POSIX::_exit(0);
        }

        push @{ $self->{pids} }, $pid;
    }
}


sub stop {
    my ($self) = @_;

    open my $f, '>', "$self->{file}.stop" or die "stop: $!\n";
    waitpid $_, 0 for splice @{ $self->{pids} };
}


sub DESTROY {
    local ($?, $@, $!);
    my ($self) = @_;

    kill KILL => @{ $self->{pids} }
        if @{ $self->{pids} // [] } && $self->{owner} == $$;
}


sub ask_on {
    my ($self, $n) = @_;
    my $base = $n;

    open my $log, '>>', "$self->{file}.$n" or die "watch: $!\n";
    $log->autoflush(1);

    # whose test died before stop() would hold its output open for ever

    while (!-e "$self->{file}.stop" && getppid == $self->{owner}) {
        my $since = time;
        my $status = $self->ask($base);

        for (2 .. @{ $self->{bases} }) {
            last if $status ne 'none';
            $status = $self->ask(++$base);
        }

        printf $log "%.3f %.3f %s\n", $since, time - $since, $status;
        sleep $self->{every} * (0.5 + rand);
    }
}


sub ask {
    my ($self, $base) = @_;
    my $url = Mojo::URL->new($self->{bases}[$base % @{ $self->{bases} }]);
    my $text = '';
    my $end = time + 60;
    my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1',
                                  PeerPort => $url->port, Timeout => 5)
        or return 'none';

    print $s "GET $self->{path} HTTP/1.1\r\nHost: ", $url->host_port,
             "\r\nCookie: $self->{cookies}\r\nConnection: close\r\n\r\n";
    $s->flush;

    while (IO::Select->new($s)->can_read($end - time)) {
        sysread $s, $text, 65536, length $text and next;
        return $text =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none';
    }

    return 'late';
}


# [ asked at, seconds, status ], in order.

sub lines {
    my ($self, $from, $to) = @_;

    return sort { $a->[0] <=> $b->[0] }
           grep { $_->[0] >= ($from // 0) && $_->[0] < ($to // 9e9) }
           map { [ split ] } map { split /\n/, Instance::slurp($_) }
           glob "$self->{file}.[0-9]*";
}


sub answers {
    my ($self, @window) = @_;
    my %n;

    $n{ $_->[2] }++ for $self->lines(@window);
    return \%n;
}


sub outage {
    my ($self, $from, $to) = @_;
    my $last;

    for my $line (reverse $self->lines($from, $to)) {
        last if $line->[2] ne '200';
        $last = $line;
    }

    my $bad = grep { $_->[2] ne '200' } $self->lines($from, $to);

    return !$bad ? 0 : $last ? $last->[0] + $last->[1] - $from : 9e9;
}


sub slowest {
    my ($self, @window) = @_;
    my ($most) = sort { $b <=> $a } map { $_->[1] } $self->lines(@window);

    return $most // 0;
}


1;
