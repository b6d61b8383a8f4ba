package Portal::Texts;

# The sentences of html/messages.txt by their names, as a page shows them.
#
#   msg('code_wrong', tries_left => 4)      numbers in Persian digits

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

use parent qw(Exporter);

our @EXPORT = qw(msg);

my %texts;


sub msg {
    my ($name, %values) = @_;

    %texts = load() if !%texts;

    my $text = $texts{$name} // die "no message $name\n";

    for my $value (values %values) {
        $value =~ tr/0-9/۰-۹/ if $value =~ /^\d+$/;
    }

    $text =~ s/\{\{([a-z_]+)(?:\.fa)?\}\}/$values{$1} \/\/ "{{$1}}"/ge;
    $text =~ s/\s+/ /g;
    return $text;
}


sub load {
    my $file = abs_path(dirname(__FILE__) . '/../../../html/messages.txt');
    my %found;

    open my $f, '<:encoding(UTF-8)', $file or die "$file: $!\n";

    while (<$f>) {
        $found{$1} = $2 if /^([a-z][a-z0-9_]*): (.*\S)\s*$/;
    }

    return %found;
}


1;
