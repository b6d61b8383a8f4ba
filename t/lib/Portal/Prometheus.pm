package Portal::Prometheus;

# The text format of Prometheus (0.0.4), read strictly: what a scraper would
# stumble over dies here, with the line.
#
#   my $m = Portal::Prometheus->new($text);
#   $m->value('x_total', route => '/');      # of the one sample that matches
#   $m->sum('x_total');                      # of all that match
#   $m->lint                                 # what is unusual, as promtool
#   Portal::Prometheus::promtool($text)      # what promtool says; undef: none

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IPC::Open3 qw(open3);

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
my $number = qr/[+-]?(?:Inf|NaN|\d+(?:\.\d+)?(?:e[+-]?\d+)?)/;


sub new {
    my ($class, $text) = @_;
    my $self = bless { type => {}, help => {}, samples => [] }, $class;
    my (%seen, %ended, $family);

    die "the last line does not end\n" if $text !~ /\n\z/;

    for my $line (split /\n/, $text) {
        if ($line =~ /^# (HELP|TYPE) ($name) (.+)$/) {
            my ($what, $of, $rest) = (lc $1, $2, $3);

            die "twice: $line\n" if defined $self->{$what}{$of};
            die "not a type: $line\n" if $what eq 'type'
                && $rest !~ /^(?:counter|gauge|histogram)$/;
            $self->{$what}{$of} = $rest;
            next;
        }

        my ($of, $labels, $value)
            = $line =~ /^($name)(?:\{(.*)\})? ($number)$/
              or die "not a sample: $line\n";
        my %labels;

        while (defined $labels && length $labels) {
            $labels =~ s/^($name)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?!$)|$)//
                or die "bad labels: $line\n";
            die "a label twice: $line\n" if exists $labels{$1};
            $labels{$1} = $2;
        }

        my $id = join '|', $of, map { "$_=$labels{$_}" } sort keys %labels;
        my $base = $self->{type}{$of} ? $of
                   : $of =~ s/_(?:bucket|sum|count)$//r;

        die "the same sample twice: $line\n" if $seen{$id}++;
        die "a sample before its type: $line\n" if !$self->{type}{$base};
        die "a family in two pieces: $line\n" if $ended{$base};
        $ended{$family} = 1 if defined $family && $family ne $base;
        $family = $base;

        push @{ $self->{samples} }, { name => $of, labels => \%labels,
                                      value => $value };
    }

    $self->check_histograms;
    return $self;
}


# Buckets grow, the last is +Inf and equals the count; there is a sum.

sub check_histograms {
    my ($self) = @_;

    for my $h (grep { $self->{type}{$_} eq 'histogram' }
               keys %{ $self->{type} })
    {
        my %series;

        for my $s (grep { $_->{name} =~ /^\Q$h\E_(?:bucket|sum|count)$/ }
                   @{ $self->{samples} })
        {
            my %l = %{ $s->{labels} };
            my $le = delete $l{le};
            my $id = join '|', map { "$_=$l{$_}" } sort keys %l;

            push @{ $series{$id}{ $s->{name} =~ s/.*_//r } },
                [ $le, $s->{value} ];
        }

        for my $id (keys %series) {
            my @b = @{ $series{$id}{bucket} // [] };

            die "$h: the last bucket is not +Inf\n"
                if !@b || $b[-1][0] ne '+Inf';
            die "$h: no sum, or no count\n"
                if !$series{$id}{sum} || !$series{$id}{count};
            die "$h: the last bucket is not the count\n"
                if $b[-1][1] != $series{$id}{count}[0][1];

            for my $i (1 .. $#b) {
                die "$h: buckets do not grow\n"
                    if $b[$i][1] < $b[$i - 1][1]
                       || $b[$i][0] ne '+Inf' && $b[$i][0] <= $b[$i - 1][0];
            }
        }
    }
}


sub matching {
    my ($self, $of, %labels) = @_;

    return grep {
        my $s = $_;
        $s->{name} eq $of
            && !grep { ($s->{labels}{$_} // '') ne $labels{$_} } keys %labels
    } @{ $self->{samples} };
}


sub value {
    my ($self, @what) = @_;
    my @found = $self->matching(@what);

    return @found == 1 ? $found[0]{value} : undef;
}


sub sum {
    my ($self, @what) = @_;
    my $sum = 0;

    $sum += $_->{value} for $self->matching(@what);
    return $sum;
}


# Conventions: every family has help, counters and nothing else end with
# _total, base units.

sub lint {
    my ($self) = @_;
    my @odd;

    for my $of (sort keys %{ $self->{type} }) {
        my $type = $self->{type}{$of};

        push @odd, "$of: no help" if !length($self->{help}{$of} // '');
        push @odd, "$of: a counter without _total"
            if $type eq 'counter' && $of !~ /_total$/;
        push @odd, "$of: _total, but no counter"
            if $type ne 'counter' && $of =~ /_total$/;
        push @odd, "$of: not a base unit"
            if $of =~ /_(?:milliseconds|ms|msec|minutes|hours|days|kb|mb
                       |kilobytes|megabytes|percent)(?:_|$)/x;
    }

    return @odd;
}


sub promtool {
    my ($text) = @_;
    my ($tool) = grep { -x } "$top/build/promtool",
                 map { "$_/promtool" } split /:/, $ENV{PATH};
    return undef if !$tool;

    my $pid = open3(my $in, my $out, undef, $tool, 'check', 'metrics');

    print $in $text;
    close $in;

    my $said = do { local $/; readline $out } // '';

    waitpid $pid, 0;
    return ($? == 0, $said);
}


1;
