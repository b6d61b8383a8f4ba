package Torture::Aborts;

# Clients that go away while their request waits for something.
#
#   my $a = Torture::Aborts->new(portal => $p, wire => $w, faults => $f);
#   $a->points($name);        at every answer of Redis, PostgreSQL and a
#                             gateway, and in threads
#   $a->uploads($name);       at so many bytes of the body
#   $a->downloads;            at so many bytes of a file
#   $a->crowd(10_000);        many at once, anywhere
#   $a->quiet                 nothing is under way any more
#   $a->count, $a->problems
#
# An answer is held back until the client is gone and then let through, so
# that every wait of a request is reached and every answer comes to nobody.

use strict;
use warnings;
use utf8;

use IO::Select;
use List::Util qw(shuffle sum);
use Time::HiRes qw(sleep time);

use Portal;

use constant { POINTS => 60, FILE => 3_000_000, AT_ONCE => 10 };

my @proxies = qw(redis postgres shahkar);


sub proxies { @proxies }


sub new {
    my ($class, %o) = @_;

    return bless { counts => {}, problems => [], bytes => {}, %o }, $class;
}


sub problems { $_[0]{problems} }
sub counts   { $_[0]{counts} }
sub count    { sum(0, values %{ $_[0]{counts} }) }
sub problem  { push @{ $_[0]{problems} }, $_[1] }


sub points {
    my ($self, $name) = @_;
    my $f = $self->{faults};

    for my $what (@proxies) {
        my $proxy = $self->{portal}->proxy($what);

        $self->along($name, $what, sub { $proxy->hold($_[0]) },
                     sub { $proxy->counts->{kept} },
                     sub { $proxy->mode('pass') });
    }

    # a thread's calls are many, and more alike

    $self->along($name, 'thread', sub { $f->hold($_[0] ** 2) },
                 sub { $f->held }, sub { $f->release });
    return $self->well($name);
}


# Stops it at the first point, the second, … until nothing stops it.

sub along {
    my ($self, $name, $what, $hold, $held, $release) = @_;
    my $w = $self->{wire};

    for my $n (0 .. POINTS) {
        my $bytes = $w->bytes($name);

        $hold->($n);
        my $s = $w->send($bytes);
        my $answered = !$self->stands($s, $held);

        if ($answered) {
            my $answer = $w->answer($s);

            $release->();
            $self->problem("$name, $what $n: answered $answer->{status}")
                if $answer->{status} ne $w->expected($name);
            return;
        }

        $w->abort($s, $n & 1);
        $self->{counts}{$what}++;

        # noticed before the answer comes, or not yet

        sleep 0.005 if $n & 2;
        $release->();
    }

    $self->problem("$name, $what: there is no end of it");
}


# Until it waits for what is held: false when it was answered first.

sub stands {
    my ($self, $s, $held) = @_;

    for (1 .. 6000) {
        return 0 if $self->{wire}->answered($s);
        return 1 if $held->();
        sleep 0.002;
    }

    $self->problem('a request neither waits nor ends');
    return 1;
}


sub uploads {
    my ($self, $name, $pieces) = @_;
    my ($w, $f) = @$self{qw(wire faults)};
    my $bytes = $w->bytes($name);
    my $head = 4 + index $bytes, "\r\n\r\n";

    for my $i (0 .. $pieces - 1) {
        my $cut = int($head + (length($bytes) - $head) * $i / $pieces);

        $f->hold(0) if $i & 1;
        my $s = $w->send(substr $bytes, 0, $cut);
        sleep 0.01;
        $w->abort($s, $i & 2);
        $f->release;
        $self->{counts}{upload}++;
    }

    return $self->well($name);
}


sub downloads {
    my ($self, $pieces) = @_;
    my $w = $self->{wire};
    my $bytes = $w->large(FILE);

    for my $i (0 .. $pieces - 1) {
        my $s = $w->send($bytes, buffer => 4096);
        my $left = FILE * $i / $pieces;

        while ($left > 0 && sysread $s, my $got, 65536) {
            $left -= length $got;
        }

        $w->abort($s, $i & 1);
        $self->{counts}{download}++;
    }

    my $answer = $w->ask($bytes);

    $self->problem("the file: then $answer->{status}")
        if $answer->{status} ne 200 || length $answer->{body} < FILE;
}


# The same bytes again and again: what matters is where they are left.

sub crowd {
    my ($self, $number, %o) = @_;
    my ($w, $p) = @$self{qw(wire portal)};
    my @names = shuffle($w->names);
    my $turn = 0;

    while ($number > 0) {
        my $n = $number < AT_ONCE ? $number : AT_ONCE;
        my $what = (@proxies, 'thread')[$turn++ % (@proxies + 1)];
        my $proxy = $what eq 'thread' ? undef : $p->proxy($what);
        my @bytes = map { $self->cached($names[($turn + $_) % @names]) }
                    1 .. $n;

        $proxy ? $proxy->hold(int rand 2 * AT_ONCE)
               : $self->{faults}->hold(int rand 100);

        my @s = map { $w->send($_) } @bytes;

        sleep rand 0.03;
        $w->abort($_, rand() < 0.5) for @s;
        $self->{counts}{crowd} += $n;
        sleep 0.003 if $turn % 3;
        $proxy ? $proxy->mode('pass') : $self->{faults}->release;
        $number -= $n;

        next if $turn % 50;
        $self->well($names[$turn / 50 % @names]);
    }
}


sub cached {
    my ($self, $name) = @_;

    # each is made anew now and then

    return $self->{bytes}{$name} = $self->{wire}->bytes($name)
        if !$self->{bytes}{$name} || rand() < 0.01;
    return $self->{bytes}{$name};
}


sub well {
    my ($self, $name) = @_;
    my $w = $self->{wire};
    my $answer;

    return 1 if wait_until(10, sub {
        $answer = $w->ask($w->bytes($name));
        return $answer->{status} eq $w->expected($name);
    });

    $self->problem("$name: then $answer->{status}");
    return 0;
}


# Gauges are written down once a second.

sub quiet {
    my ($self) = @_;
    my @busy;

    return 1 if wait_until(30, sub {
        my $metrics = $self->{portal}->browser->get('/metrics')->body;

        @busy = $metrics =~ /^(correspondence_operations_(?:in_flight|queued)
                              \S+\ [1-9]\d*)$/mgx;
        return $metrics =~ /operations_in_flight/ && !@busy;
    });

    $self->problem("still busy: @busy");
    return 0;
}


sub sockets {
    my ($self) = @_;
    my $n = 0;

    for my $worker ($self->{portal}->workers) {
        $n += grep { (readlink($_) // '') =~ /^socket:/ }
              glob "/proc/$worker/fd/*";
    }

    return $n;
}


1;
