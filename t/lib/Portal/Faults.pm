package Portal::Faults;

# Calls of nginx's workers that fail when they are told to: the other side
# of t/tools/faults.c.
#
#   my $faults = Portal::Faults->new;
#   my $p = Portal->new(faults => $faults);      # nginx runs with it
#
#   $faults->arm(calls => ['alloc'], first => 7);     the 7th allocation
#   $faults->arm(calls => ['read'], on => ['local'], first => 1,
#                error => 'ECONNRESET', last => 3);   the first three reads
#   $faults->arm(calls => ['read', 'write'], on => ['client', 'local'],
#                short => 1);                         a byte at a time
#   $faults->arm(calls => ['read'], on => ['local'], turn => 'EAGAIN');
#   my ($seen, $hits) = $faults->disarm;
#
# calls: alloc read write sync name connect; on: client local remote file.
# Without last only one call fails; with all => 1 every one since first.
#
#   $faults->hold($skip);      threads stand still in their next call but
#                              $skip: of memory, or of a file
#   $faults->held;             how many do
#   $faults->release;
#
#   $faults->clock(-300);      the workers' clock is set back by so much
#
#   $faults->leaks;            asks a worker under AddressSanitizer: true
#                              when it lost memory (then its log says what)

use strict;
use warnings;

use Cwd qw(abs_path);
use Errno qw(:POSIX);
use File::Basename qw(dirname);
use File::Temp ();
use Time::HiRes qw(sleep);

my $top = abs_path(dirname(__FILE__) . '/../../..');

my %calls = (alloc => 1, read => 2, write => 4, sync => 8, name => 16,
             connect => 32);
my %targets = (client => 1, local => 2, remote => 4, file => 8);

use constant { FAIL => 1, SHORT => 2, TURN => 3 };
use constant { CONTROL => 'L8 Q6 L2 q', ARMED => 0, HOLD => 28, SEEN => 48,
               HITS => 56, SKIP => 64, PASSED => 72, HELD => 80,
               LEAKS => 84, CLOCK => 88 };


sub new {
    my ($class) = @_;

    system('make', '-s', '-C', $top, 'build/faults.so') == 0
        or die "build/faults.so cannot be built\n";

    # where the user who runs nginx can read it

    my $dir = File::Temp->newdir('corr-f-XXXXXX', DIR => '/tmp');
    my $file = "$dir/control";

    chmod 0755, $dir;
    system('cp', "$top/build/faults.so", "$dir/") == 0 or die "cp: $!\n";
    open my $control, '+>:raw', $file or die "$file: $!\n";
    chmod 0666, $file;
    syswrite $control, pack CONTROL, (0) x 17;

    return bless { dir => $dir, file => $file, control => $control }, $class;
}


# What nginx gets to see of its environment.

sub environment {
    my ($self) = @_;

    return (LD_PRELOAD => "$self->{dir}/faults.so",
            CORR_FAULTS => $self->{file});
}


sub port { $_[0]->put(24, 'L', $_[1]) }


sub arm {
    my ($self, %o) = @_;
    my $error = $o{error} // $o{turn} // 'ENOMEM';
    my $first = $o{first} // 1;
    my $last = $o{last} // ($o{all} || $o{short} || $o{turn} ? 2 ** 62
                                                             : $first);

    $self->put(ARMED, 'L', 0);
    $self->put(32, 'Q4', $first, $last, 0, 0);
    $self->put(4, 'L5', set(\%calls, $o{calls}), set(\%targets, $o{on}),
               $o{short} ? SHORT : $o{turn} ? TURN : FAIL,
               Errno->can($error)->(), $o{short} // 0);
    $self->put(ARMED, 'L', 1);
}


sub disarm {
    my ($self) = @_;

    $self->put(ARMED, 'L', 0);
    return ($self->get(SEEN, 'Q'), $self->get(HITS, 'Q'));
}


sub set {
    my ($of, $names) = @_;
    my $set = 0;

    $set |= $of->{$_} // die "no such thing to fail: $_\n"
        for @{ $names // [] };
    return $set;
}


sub clock { $_[0]->put(CLOCK, 'q', $_[1]) }


sub hold {
    my ($self, $skip) = @_;

    $self->put(SKIP, 'Q2', $skip // 0, 0);
    $self->put(HOLD, 'L', 1);
}


sub held    { $_[0]->get(HELD, 'L') }
sub release { $_[0]->put(HOLD, 'L', 0) }


sub leaks {
    my ($self) = @_;
    my $found = 1;

    $self->put(LEAKS, 'L', 1);

    for (1 .. 600) {
        last if ($found = $self->get(LEAKS, 'L')) != 1;
        sleep 0.05;
    }

    die "nobody looked for leaks\n" if $found == 1;
    return $found == 2;
}


sub put {
    my ($self, $at, $how, @values) = @_;

    sysseek $self->{control}, $at, 0;
    syswrite $self->{control}, pack $how, @values;
}


sub get {
    my ($self, $at, $how) = @_;

    sysseek $self->{control}, $at, 0;
    sysread $self->{control}, my $bytes, 8;
    return unpack $how, $bytes;
}


1;
