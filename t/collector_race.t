#!/usr/bin/perl

# The collector against letters that bring the very files it is about to
# remove, while workers and PostgreSQL are killed: whatever a row names is
# there.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib", "$FindBin::RealBin/torture/lib";

use Digest::SHA qw(sha256_hex);
use List::Util qw(shuffle);
use Mojo::Promise;
use Portal;
use Time::HiRes qw(sleep time);
use Torture;

use constant {
    GRACE => 20,       # as long as the collector needs for all portions
    EACH  => 4,        # orphans of a portion
};

my $p = Torture->portal(
    http => '    correspondence_collect_grace ' . GRACE . "s;\n"
            . "    correspondence_letters_per_day 100000;\n");
my $i = $p->instance;
my $store = $p->dir . '/store';
my $torture = Torture->new(portal => $p, seconds => 1);
my $sockets = $i->{sockets};

sub path { join '/', $store, $_[0] =~ /^(..)(..)/, $_[0] }


# So many old files of nobody in each portion, found by trying.

my (@portion, %bytes);

for (my $n = 0; grep { @{ $portion[$_] // [] } < EACH } 0 .. 255; $n++) {
    my $bytes = Portal::Browser::tiny_png("orphan $n");
    my $hash = sha256_hex($bytes);
    my $portion = hex substr $hash, 0, 2;

    next if @{ $portion[$portion] // [] } >= EACH;

    push @{ $portion[$portion] }, $hash;
    $bytes{$hash} = $bytes;

    my $path = path($hash);

    $i->own_dir($path =~ s{/[^/]+/[^/]+$}{}r);
    $i->own_dir($path =~ s{/[^/]+$}{}r);
    $i->write_file($path, $bytes, 0640);
    utime time - 3600, time - 3600, $path;
}

my @clients = map { my $b = $p->browser; $b->signup; $b } 1 .. 4;

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'});


# Which portion went last; the next ones are what is sent.

my (%seen, $last);

sub look {
    for my $portion (0 .. 255) {
        next if $seen{$portion};

        if (grep { !-e path($_) } @{ $portion[$portion] }) {
            $seen{$portion} = 1;
            $last = $portion;
        }
    }
}

my (%status, %taken);
my $end = time + GRACE + 10;

sub client {
    my ($b) = @_;

    return if time > $end;
    look();

    my $portion = (($last // int rand 256) + int rand 4) % 256;
    my @hashes = (shuffle @{ $portion[$portion] })[0 .. 2];
    my $again = sub { client($b) };

    return $b->ua->get_p($b->url('/desk/letters/new'))->then(sub {
        my $form = $_[0]->res->dom->at('form[enctype]') or die "no form\n";

        return $b->ua->start_p($b->ua->build_tx(
            POST => $b->url('/desk/letters'), {}, form => {
                %{ Portal::Browser::preset($form) },
                person_kind => 'natural', address => 'ی', subject => 'س',
                body => 'م',
                file => [ map { Portal::Browser::file_part(
                                    "$_.png", $bytes{$_}, 'image/png') }
                          @hashes ] }));
    })->then(sub {
        my $code = $_[0]->res->code // 0;

        $status{$code}++;
        $taken{$_} = 1 for $code == 303 ? @hashes : ();
    })->catch(sub { $status{none}++ })
      ->then(sub { Mojo::Promise->timer(0.02) })->then($again);
}

sub disturb {
    my @kinds = @_;

    return if !@kinds || time > $end;
    return Mojo::Promise->timer(3)->then(sub {
        $torture->kill_one(shift @kinds);
        return disturb(@kinds);
    });
}

Mojo::Promise->all_settled(
    (map { client($_) } @clients),
    disturb(qw(worker backend worker worker backend worker worker)))->wait;
ok($torture->settle, 'all is well again');
look();

my $rows = $p->value('SELECT count(DISTINCT sha256) FROM files');
my $gone = grep { !-e path($_) } keys %bytes;

note(join ', ', map { "$status{$_} times $_" } sort keys %status);
note("$rows contents of letters, $gone orphans gone, ",
     $p->value('SELECT count(*) FROM file_removals'), ' marks left');

cmp_ok($status{303} // 0, '>', 20, 'letters were taken');
cmp_ok(scalar keys %seen, '>', 20, 'and orphans collected');
cmp_ok($torture->killed, '>=', 3, 'parts were killed');
is($p->value(q{SELECT count(*) FROM files
                WHERE encode(sha256, 'hex') <> ALL (?)}, [ keys %bytes ]), 0,
   'nothing but these files came in');
is(scalar(grep { !$p->value(q{SELECT count(*) FROM files
                              WHERE sha256 = decode(?, 'hex')}, $_) }
          keys %taken), 0, 'each file of an accepted letter has its row');

my @bad = grep { !/^extra / }
          `$i->{top}/sql/fsck -d 'host=$sockets user=postgres dbname=correspondence' $store 2>/dev/null`;

is_deeply(\@bad, [], 'each row has its file, whole');


# A mark that a collector left when it died.

my ($free, $other) = grep { !$taken{$_} } sort keys %bytes;
my $b = $clients[0];

sub letter {
    $b->get('/desk/letters/new')->expect(200, 'the form');
    $b->submit({ person_kind => 'natural', address => 'ی', subject => 'س',
                 body => 'م', file => [ [ 'x.png', $bytes{$_[0]},
                                          'image/png' ] ] });
    return $b->status;
}

sub mark {
    $p->sql(q{INSERT INTO file_removals VALUES (decode(?, 'hex'),
              now() - ?::interval) ON CONFLICT (sha256)
              DO UPDATE SET at = EXCLUDED.at}, @_);
}

mark($free, '5 minutes');
is(letter($free), 503, 'a file that is being removed is not taken');
mark($free, '11 minutes');
is(letter($free), 303, 'nor is it refused for ever');
ok(-e path($free), 'and is there');
$p->reload;
ok(wait_until(20, sub {
    !$p->value(q{SELECT count(*) FROM file_removals
                  WHERE sha256 = decode(?, 'hex')}, $free) }),
   'a collector that begins clears the mark');
ok(-e path($free), 'and not the file');

$p->done;
