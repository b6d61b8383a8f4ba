package Portal::Chromium;

# Runs a story of t/browser/*.mjs in Chromium against a portal and passes its
# TAP on.
#
#   use Portal::Chromium;
#   Portal::Chromium->run('main_job');
#
# With tls => 1 under TLS as nginx.conf.example has it, hence in HTTP/2.
# Whatever else is given is Portal's.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Mojo::JSON qw(encode_json);
use Test::More;

use Portal;

my $top = abs_path(dirname(__FILE__) . '/../../..');


sub run {
    my ($class, $story, %o) = @_;
    my $node = "$top/t/node_modules";

    if (!-d "$node/playwright-core") {
        plan skip_all => 'playwright-core is not installed (dev/install test)';
    }

    my $tls = delete $o{tls} ? Instance::free_port() : undef;

    $o{server} = Portal::example_tls($tls, Portal::certificate()) if $tls;

    my $p = Portal->new(captcha => 'on', workers => 2, %o);

    local $ENV{PORTAL} = $tls ? "https://localhost:$tls" : $p->base;
    local $ENV{SANDBOX} = "http://127.0.0.1:$p->{instance}{gateway_port}";
    local $ENV{STAFF} = encode_json([ map { $p->staff($_) }
                                      qw(clerk expert manager admin) ]);
    local $ENV{SCREENS} = "$top/build/screens";
    local $ENV{CAPTCHA_TOOL} = "$top/build/corr-captcha";
    local $ENV{CAPTCHA_KEY} = $p->dir . '/keys/portal.key';

    make_path($ENV{SCREENS});

    open my $out, '-|', 'node', "$top/t/browser/$story.mjs"
        or die "node: $!";
    binmode $out, ':encoding(UTF-8)';

    while (my $line = <$out>) {
        if ($line =~ /^(not )?ok \d+ - (.*)$/) {
            ok(!$1, $2);

        } elsif ($line =~ /^# ?(.*)$/) {
            diag $1;
        }
    }

    close $out;
    is($?, 0, 'the story was told to its end');
    ok(scalar(Instance::slurp($p->dir . '/logs/access.log')
              =~ m{"POST /desk/letters HTTP/2\.0" 303 }), 'in HTTP/2')
        if $tls;

    $p->done;
}


1;
