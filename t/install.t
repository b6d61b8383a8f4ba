#!/usr/bin/perl

# make install: a portal runs from what it puts there, and so do the scripts;
# another one takes away what is no longer part of it, and nothing of
# somebody else's.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Temp qw(tempdir);
use Portal;

my $top = "$FindBin::RealBin/..";
my $root = tempdir('corr-install-XXXXXX', DIR => Portal::tmp(),
                   CLEANUP => 1);
my $share = "$root/usr/share/correspondence";
my $module = "$root/usr/lib/nginx/modules/ngx_http_correspondence_module.so";

chmod 0755, $root;


sub said {
    my (@command) = @_;

    open my $f, '-|', 'sh', '-c', 'exec "$@" 2>&1 < /dev/null', 'sh',
         @command or die "$command[0]: $!\n";
    my $said = do { local $/; <$f> } // '';
    close $f;
    return ($? >> 8, $said);
}

sub make_install { said('make', '-s', '-C', $top, 'install', "DESTDIR=$root") }

sub write_file {
    my ($file, $text) = @_;

    open my $f, '>', $file or die "$file: $!\n";
    print $f $text;
    close $f;
}


# Whatever the umask of who runs it is, www-data reads it.

my $umask = umask 077;
my ($rc, $said) = make_install();

umask $umask;
is($rc, 0, 'installed') or die $said;
is((said('find', $root, '-not', '-perm', '-444'))[1], '', 'all may read it');
ok(-x "$root/usr/bin/$_", $_) for qw(corr-fsck corr-render corr-staff);
ok(-f "$share/$_", $_)
    for qw(README.md nginx.conf.example gateways/zibal.conf docs/security.md);

my $p = Portal->new(replace => [
    $ENV{CORR_ASAN} ? () : [ qr/^load_module .*;/m, "load_module $module;" ],
    [ qr/correspondence_html .*;/m, "correspondence_html $share/html;" ],
    [ qr{\S+/html/(voice|passwords)}m, sub { "$share/html/$1" } ],
]);
my $b = $p->browser;
my $db = 'host=' . $p->instance->{sockets} . ' dbname=correspondence';
my $owner = "$db user=postgres";

$b->signup;
$b->identify;
$b->send_letter(files => [ [ 'a.png', Portal::Browser::tiny_png('x' x 2000),
                             'image/png' ] ]);


# The scripts, from where they are now.

($rc, $said) = said("$share/sql/migrate", $owner);
is($rc, 0, 'sql/migrate') or diag $said;
like($said, qr/^functions unchanged$/m, 'has nothing to do');

my @fsck = ("$share/sql/fsck", '-d', "$db user=correspondence_portal",
            $p->dir . '/store');

($rc, $said) = said(@fsck);
is($rc, 0, 'sql/fsck finds its program') or diag $said;
like($said, qr/1 good/, 'and the file');

($rc, $said) = said("$share/sql/create-admin", '-d', $owner, '-u',
                    $p->browser->{base} . '/clerk', 'first', 'First');
is($rc, 0, 'sql/create-admin') or diag $said;

my ($path) = $said =~ m{(/clerk/invitations/\S+)};
is($p->browser->get($path)->status, 200, 'makes a link that opens');

($rc, $said) = said("$share/sql/audit-verify", '-d',
                    "$db user=correspondence_portal");
is($rc, 0, 'sql/audit-verify') or diag $said;

# without its program it could not look, which is 2

rename "$root/usr/bin/corr-fsck", "$root/corr-fsck";

{
    local $ENV{PATH} = '/usr/bin:/bin';
    ($rc, $said) = said(@fsck);
}

is($rc, 2, 'no program: 2');
like($said, qr/corr-fsck is not there.*CORR_FSCK/, 'and a sentence');

{
    local $ENV{PATH} = "$root:/usr/bin:/bin";
    is((said(@fsck))[0], 0, 'in PATH: found');
}

{
    local $ENV{CORR_FSCK} = "$root/corr-fsck";
    is((said(@fsck))[0], 0, 'named: found');
}


# Upgrades.

my ($page) = "$share/html/pages/home.html";

($rc, $said) = make_install();
is($rc, 0, 'again') or diag $said;
ok(-x "$root/usr/bin/corr-fsck", 'the program is back');

write_file("$share/sql/functions/98_gone.sql", "SELECT 1/0;\n");
($rc) = said('sh', '-c', 'cd "$0" && sha256sum ./sql/functions/98_gone.sql'
             . ' >> MANIFEST && sort -k 2 -o MANIFEST MANIFEST', $share);
($rc, $said) = make_install();
is($rc, 0, 'over one that had more') or diag $said;
ok(!-e "$share/sql/functions/98_gone.sql", 'what is gone stays not behind');

my $was = Instance::slurp($page);

write_file($page, "$was<!-- ours -->\n");
($rc, $said) = make_install();
isnt($rc, 0, 'a page was changed there: refused');
like($said, qr{\./html/pages/home\.html.*move this directory away}s,
     'with its name and what to do');
like(Instance::slurp($page), qr/ours/, 'and it stays');
write_file($page, $was);

write_file("$share/html/ours.html", '');
isnt((make_install())[0], 0, 'a page more: refused');
unlink "$share/html/ours.html";
is((make_install())[0], 0, 'put back: installed');

unlink "$share/MANIFEST";
isnt((make_install())[0], 0, 'copied there by hand: refused');

is($b->get('/desk')->status, 200, 'and the portal runs all the while');

$p->done;
