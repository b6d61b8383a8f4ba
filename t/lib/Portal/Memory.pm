package Portal::Memory;

# What stands in a process's memory: memory_of(pid, …), all that it can write
# to, as bytes; undef where it is not for us to read, or a sanitizer's shadow
# is in it.

use strict;
use warnings;
no warnings 'portable';

use Exporter 'import';

our @EXPORT = qw(memory_of);


sub memory_of {
    my $all = '';

    return undef if ($ENV{CORR_ASAN} // 0) ne '0';

    for my $pid (@_) {
        open my $maps, '<', "/proc/$pid/maps" or return undef;
        open my $memory, '<:raw', "/proc/$pid/mem" or return undef;

        while (my $line = readline $maps) {
            my ($from, $to) = map { hex } $line =~ /^(\w+)-(\w+) rw/ or next;

            sysseek $memory, $from, 0;
            sysread $memory, $all, $to - $from, length $all;
        }
    }

    return $all;
}


1;
