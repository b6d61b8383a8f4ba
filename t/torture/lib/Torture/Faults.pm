package Torture::Faults;

# One call after the other fails, for each of the portal's main requests.
#
#   my $t = Torture::Faults->new(portal => $p, wire => $w, faults => $f);
#   $t->every('letter', calls => ['alloc']);
#   $t->every('letter', calls => ['read'], on => ['local'],
#             error => 'ECONNRESET', all => 1, step => 3);
#   $t->slow('letter', calls => ['read'], on => ['local'], short => 1);
#   $t->figures;      { cases, answers => { 200 => …, none => … }, longest }
#   $t->problems;     sentences
#
# every() lets the first call fail, then the second, until the request is
# answered with nothing failing; step => 3 takes every third.  An answer is
# clean when it is the right one, 500, 503, or none: the connection was
# closed.  The same request must then be well again, soon and by itself.
# slow() wants the right answer.

use strict;
use warnings;
use utf8;

use Time::HiRes qw(sleep time);

use Portal;

use constant { MOST => 5000, PATIENCE => 10 };


sub new {
    my ($class, %o) = @_;

    return bless { cases => 0, slow => 0, answers => {}, longest => 0, problems => [],
                   %o }, $class;
}


sub problems { $_[0]{problems} }

sub figures {
    my ($self) = @_;

    return { map { $_ => $self->{$_} } qw(cases answers longest slow) };
}


sub every {
    my ($self, $name, %o) = @_;
    my $step = delete $o{step} // 1;
    my $n = delete $o{from} // 1;
    my $cases = 0;

    while ($n < MOST) {
        my $hits = $self->one($name, %o, first => $n) or last;

        $cases++;
        $n += $step;
    }

    $self->problem("$name: does not end") if $n >= MOST;
    return $cases;
}


# How things are slow, and how they fail.

sub slow_ways {
    my @io = (calls => ['read', 'write'], on => ['client', 'local', 'remote',
                                                 'file']);

    return ([ @io, short => 1 ], [ @io, short => 7 ],
            [ @io, turn => 'EINTR' ],
            [ calls => ['read', 'write'], on => ['client', 'local', 'remote'],
              turn => 'EAGAIN' ]);
}


sub failing_ways {
    my @ways;

    for my $on (qw(client local remote)) {
        push @ways, [ calls => ['read'], on => [$on],
                      error => 'ECONNRESET' ],
                    [ calls => ['write'], on => [$on], error => 'EPIPE' ];
    }

    return (@ways,
            [ calls => ['write'], on => ['file'], error => 'ENOSPC' ],
            [ calls => ['read', 'write'], on => ['file'], error => 'EIO' ],
            [ calls => ['sync'], on => ['file'], error => 'EIO' ],
            [ calls => ['name'], error => 'EMFILE' ],
            [ calls => ['connect'], error => 'EMFILE' ]);
}


# What nginx and libraries say of it, and nothing else.

sub allow_memory {
    $_[0]{portal}->allow(
        qr/\[emerg\].*(?:alloc|memalign)\(.*failed/,
        qr/\[(?:alert|crit)\].*Cannot allocate memory/);
}


sub allow_io {
    $_[0]{portal}->allow(
        qr/\[(?:alert|crit)\].*\((?:5|24|28|32|104): /);
}


sub slow {
    my ($self, $name, %o) = @_;
    my ($w, $f) = @$self{qw(wire faults)};

    my $bytes = $w->bytes($name);

    $f->arm(%o);
    my $answer = $w->ask($bytes, 120);
    my (undef, $hits) = $f->disarm;

    $self->{slow}++ if $hits;
    $self->problem(sprintf '%s, %s %s: answered %s', $name,
                   join('+', @{ $o{calls} }), $o{turn} // "$o{short} bytes",
                   $answer->{status})
        if $answer->{status} ne $w->expected($name);
    return $hits;
}


# One request with one fault; how often it struck.

sub one {
    my ($self, $name, %o) = @_;
    my ($w, $f) = @$self{qw(wire faults)};
    my $what = sprintf '%s, %s%s %s %d', $name, join('+', @{ $o{calls} }),
               $o{on} ? ' of ' . join('+', @{ $o{on} }) : '',
               $o{error} // '', $o{first};
    my $bytes = $w->bytes($name);
    my ($worker) = $self->{portal}->workers;

    $f->arm(%o);
    my $answer = $w->ask($bytes, 60);
    my (undef, $hits) = $f->disarm;

    my $status = $answer->{status};
    my $clean = $hits ? qr/^(?:500|503|none|cut)$/ : qr/^$/;

    $self->problem("$what: answered $status")
        if $status ne $w->expected($name) && $status !~ $clean;

    if ($hits) {
        $self->{cases}++;
        $self->{answers}{$status}++;
        $self->well($name, $what);
    }

    if (defined $worker && !grep { $_ == $worker } $self->{portal}->workers) {
        $self->problem("$what: the worker is gone");
    }

    return $hits;
}


sub well {
    my ($self, $name, $what) = @_;
    my $w = $self->{wire};
    my $since = time;
    my $answer;

    wait_until(PATIENCE, sub {
        $answer = $w->ask($w->bytes($name));
        return $answer->{status} eq $w->expected($name);
    }) or $self->problem("$what: then $answer->{status}");

    my $took = time - $since;

    $self->{longest} = $took if $took > $self->{longest};
}


sub problem {
    my ($self, $text) = @_;

    push @{ $self->{problems} }, $text;
}


1;
