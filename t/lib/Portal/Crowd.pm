package Portal::Crowd;

# Many requests at once, each on a connection of its own, as one person.
#
#   my $crowd = Portal::Crowd->new($browser, '/desk/identity', 40);
#   … something breaks …
#   my $r = $crowd->wait(15);     # { 200 => 38, 503 => 2 }
#
# What is no answer is counted as "none" (closed without one) or "late" (not
# whole after so many seconds).  $crowd->slowest is the longest in seconds,
# $crowd->abort closes what is open without reading.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);


sub new {
    my ($class, $browser, $path, $number) = @_;
    my $self = bless { open => {}, count => {}, slowest => 0 }, $class;
    my $url = Mojo::URL->new($browser->url($path));
    my $cookies = join '; ', map { $_->name . '=' . $_->value }
                  @{ $browser->ua->cookie_jar->find($url) };

    for (1 .. $number) {
        my $s = IO::Socket::INET->new(PeerHost => '127.0.0.1',
                                      PeerPort => $url->port, Timeout => 5);

        if (!$s) {
            $self->{count}{none}++;
            next;
        }

        print $s "GET $path HTTP/1.1\r\nHost: ", $url->host_port, "\r\n",
                 "Cookie: $cookies\r\nConnection: close\r\n\r\n";
        $s->flush;
        $self->{open}{ fileno $s } = { s => $s, text => '', since => time };
    }

    return $self;
}


sub wait {
    my ($self, $seconds) = @_;
    my $end = time + $seconds;

    while (%{ $self->{open} } && time < $end) {
        my @ready = IO::Select->new(map { $_->{s} } values %{ $self->{open} })
                              ->can_read($end - time);

        $self->receive($self->{open}{ fileno $_ }) for @ready;
    }

    $self->{count}{late} += keys %{ $self->{open} } if %{ $self->{open} };
    $self->abort;

    return $self->{count};
}


sub receive {
    my ($self, $one) = @_;
    my $n = sysread $one->{s}, $one->{text}, 65536, length $one->{text};

    return if $n;

    my ($status, $head, $body)
        = $one->{text} =~ m{^HTTP/1\.1 (\d+)(.*?\r\n\r\n)(.*)}s;
    my $took = time - $one->{since};

    # a page that was cut is none

    $status = 'none' if !defined $status || $body !~ m{</html>\s*$}
                        && $head !~ /^Location: /m;
    $self->{count}{$status}++;
    $self->{slowest} = $took if $took > $self->{slowest};

    delete $self->{open}{ fileno $one->{s} };
    close $one->{s};
}


sub abort {
    my ($self) = @_;

    close $_->{s} for values %{ $self->{open} };
    $self->{open} = {};
}


sub slowest { $_[0]->{slowest} }


1;
