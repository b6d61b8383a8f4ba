package Torture::Reloads;

# nginx reloaded and stopped while people read, send letters and wait for a
# slow gateway.
#
#   my $r = Torture::Reloads->new(portal => $p, wire => $w, letters => $l);
#   $r->reloads(200, 0.5);    half a second between them, about
#   $r->stops(20);            nginx quits, and starts again
#   $r->figures, $r->problems
#
# What is promised:
#   a reload       whatever was accepted is answered, whole and right
#   a stop         the same until worker_shutdown_timeout has passed; what
#                  still waits then gets a 503 or its connection closed, and
#                  the workers are gone.  What nobody had accepted is refused
#   both           what was acknowledged is there

use strict;
use warnings;
use utf8;

use IO::Select;
use POSIX ();
use Time::HiRes qw(sleep time);

use Portal;

use constant { READERS => 3, SLOW => 3, GATEWAY => 4, TIMEOUT => 1 };


# captchas off: letters are sent by clients that see no pictures; those before
# the stops and those behind are of the same people, more than a day allows

sub options {
    my %o = Portal::Wire::options;

    return (%o, captcha => 'off',
            http => "$o{http}    correspondence_letters_per_day 100000;\n",
            replace => [ [ qr/worker_shutdown_timeout .*;/,
                           'worker_shutdown_timeout ' . TIMEOUT . 's;' ] ]);
}


sub new {
    my ($class, %o) = @_;

    return bless { problems => [], pids => [], reloads => 0, stops => 0,
                   cut => 0, answered => 0, longest => 0, %o }, $class;
}


sub problems { $_[0]{problems} }
sub problem  { push @{ $_[0]{problems} }, $_[1] }

sub figures {
    my ($self) = @_;

    return { map { $_ => $self->{$_} }
             qw(reloads stops cut answered longest) };
}


# People who read, each a process: every answer has to be the right one.

sub read_on {
    my ($self) = @_;
    my $w = $self->{wire};
    my %bytes = map { $_ => $w->bytes($_) }
                ('home', 'desk', 'letters', 'a letter', 'file', 'inbox');
    my @names = sort keys %bytes;

    $self->{said} = $self->{portal}->dir . '/readers';
    mkdir $self->{said};

    for my $n (1 .. READERS) {
        my $pid = fork // die "fork: $!\n";

        if ($pid) {
            push @{ $self->{pids} }, $pid;
            next;
        }

        $SIG{$_} = 'DEFAULT' for qw(INT HUP TERM);
        alarm 0;
        open my $said, '>', "$self->{said}/$n" or POSIX::_exit(1);
        $said->autoflush(1);

        while (!-e "$self->{said}/stop") {
            my $name = $names[rand @names];
            my $status = eval { $w->ask($bytes{$name})->{status} }
                         // 'refused';

            print $said "$name ",
                        $status eq $w->expected($name) ? 'well' : $status,
                        "\n";
            sleep 0.01;
        }

        POSIX::_exit(0);
    }
}


# How many were answered well, and a problem for each that was not.

sub read_no_more {
    my ($self) = @_;
    my $well = 0;

    open my $f, '>', "$self->{said}/stop" or die "stop: $!\n";
    waitpid $_, 0 for splice @{ $self->{pids} };

    for my $line (map { split /\n/, Instance::slurp("$self->{said}/$_") }
                  1 .. READERS)
    {
        $line =~ / well$/ ? $well++ : $self->problem("a reader: $line");
    }

    unlink glob "$self->{said}/*";
    return $well;
}


sub DESTROY {
    local ($?, $@, $!);
    my $pids = $_[0]{pids};

    kill KILL => @$pids if @$pids && $_[0]{portal}{owner} == $$;
}


sub reloads {
    my ($self, $number, $pause) = @_;
    my $p = $self->{portal};

    $self->read_on;

    for (1 .. $number) {
        $p->reload or $self->problem('no new workers');
        $self->{reloads}++;
        sleep $pause * (0.2 + rand 1.6);
    }

    $self->{answered} += $self->read_no_more;
    $self->gone or $self->problem('old workers stay');
}


# Requests that wait for a gateway longer than nginx does, and some that do
# not.

sub stops {
    my ($self, $number) = @_;

    for (1 .. $number) {
        $self->stop_once;
        $self->{stops}++;
    }
}


sub stop_once {
    my ($self) = @_;
    my ($p, $w) = @$self{qw(portal wire)};
    my $delay = rand() < 0.5 ? 0.3 : GATEWAY;

    $p->fault(service => 'shahkar', kind => 'delay', seconds => $delay);
    my $asked = $p->requests('shahkar');
    my @s = map { $w->send($w->bytes('identity')) } 1 .. SLOW;

    wait_until(10, sub { $p->requests('shahkar') > $asked });
    my $since = time;

    $p->instance->stop_one('nginx', [ QUIT => 30 ]);
    my $took = time - $since;

    $self->{longest} = $took if $took > $self->{longest};
    $self->problem("a stop took $took seconds")
        if $took > TIMEOUT + 5;

    for my $status (map { $w->answer($_)->{status} } @s) {
        $self->{$status eq '303' ? 'answered' : 'cut'}++;
        $self->problem("a slow request: $status")
            if $status ne '303' && ($delay < GATEWAY
                                    || $status !~ /^(?:503|none)$/);
    }

    $p->no_faults;
    $p->start_nginx;
    sleep rand 1;
}


# Nobody is shutting down any more.

sub gone {
    my ($self) = @_;
    my $master = $self->{portal}->nginx_pid;

    return wait_until(60, sub {
        !grep { Instance::slurp("/proc/$_/cmdline") =~ /shutting down/ }
        split ' ', Instance::slurp("/proc/$master/task/$master/children");
    });
}


# What the letters say in the end.

sub letters {
    my ($self, $unanswered) = @_;
    my $letters = $self->{letters};
    my $a = $letters->account;

    $self->problem("letters: $a->{$_} $_")
        for grep { $a->{$_} } qw(lost doubled half);
    $self->problem("letters: $a->{unanswered} without an answer, "
                   . join ', ', %{ $a->{answers} })
        if !$unanswered && keys %{ $a->{answers} } > 1;
    $letters->again;

    # the others were sent by Portal::Wire

    $self->problem("letters: $_")
        for grep { !/ was never sent$/ } @{ $a->{problems} };
    $self->problem("letters: another code for "
                   . ($a->{sent} - $a->{again}) . ' sent again')
        if $a->{again} != $a->{sent};
    return $a;
}


1;
