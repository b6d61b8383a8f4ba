#!/usr/bin/perl

# The virus gate: every file that comes in is shown to clamd first.  A double
# of clamd plays what the real one does on good and bad days; the real one is
# asked by t/torture/scan.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Digest::SHA qw(sha256_hex);
use List::Util qw(max);
use Mojo::Promise;
use Portal;
use Portal::Clamd;
use Portal::Texts;
use Time::HiRes qw(sleep time);

my $p = Portal->new(start => 0);
my $dir = $p->dir;
my $socket = $p->instance->{sockets} . '/clamd.sock';
my $d = Portal::Clamd->new(dir => $dir, listen => $socket);

sub scan { "    correspondence_scan unix:$socket @_;\n" }

$p->configure(http => scan('timeout=3s'));
$p->start_nginx;

sub png {
    my ($mark, $name) = @_;

    return [ $name // 'a.png', Portal::Browser::tiny_png($mark),
             'image/png' ];
}

sub infected { png('x' . Portal::Clamd::eicar() . $_[0], 'bad.png') }

# One of several chunks; its noise is the same at each run.

sub large {
    my ($mark) = @_;
    my $noise = '';

    $noise .= Digest::SHA::sha512("$mark$_") for 1 .. 5000;
    return png(unpack('H*', $noise), 'large.png');
}

sub citizen {
    my $b = $p->browser;
    my $who = $b->signup;

    $p->db->do(q{UPDATE persons SET mobile_step = 'yes',
                 registry_step = 'yes', first_name = 'زهرا',
                 last_name = 'کریمی', father_name = 'علی'
                 WHERE national_code = ?}, undef, $who->{national_code});
    return $b;
}

sub key { 'k' . join '', map { int rand 10 } 1 .. 30 }
sub rows { $p->value('SELECT count(*) FROM files') }

sub stored {
    my $hash = sha256_hex($_[0][1]);

    return -e join '/', "$dir/store", $hash =~ /^(..)(..)/, $hash;
}

sub left { grep { -f } glob "$dir/store/tmp/*" }

sub metric {
    my ($name) = @_;
    my $text = $p->browser->get('/metrics')->body;

    return $text =~ /^correspondence_\Q$name\E (\d+)$/m ? $1 : undef;
}

sub letter {
    my ($b, @files) = @_;

    $b->get('/desk/letters/new')->expect(200, 'the form');
    return $b->submit({ person_kind => 'natural', address => 'تهران، آزادی',
                        subject => 'موضوعِ من', body => 'متنِ من',
                        file => \@files });
}

sub error_is {
    my ($b, $status, $message, $name, $what) = @_;

    is($b->status, $status, "$what: $status");
    is($b->error('file'), 'خطا: ' . msg($message, name => $name),
       "$what: says why at the field");
}

my $b = citizen();


# A good one goes through, byte by byte.

my @good = (large('good'), png('small'));

letter($b, @good)->expect(303, 'a good letter');
is_deeply([ sort map { $_->{sha256} } grep { $_->{whole} } $d->seen ],
          [ sort map { sha256_hex($_->[1]) } @good ],
          'clamd saw both files, whole');
is($p->value(q{SELECT count(*) FROM files WHERE scan = 'clean'}), 2,
   'their rows say so');
is(metric('scanned_clean_total'), 2, 'counted');


# One with a virus: refused in words, the rest of the form and the other file
# stay.

my $bad = infected('letter');

letter($b, png('keep', 'keep.png'), $bad);
error_is($b, 422, 'file_infected', 'bad.png', 'a virus');
is($b->dom->at('[name="subject"]')->val, 'موضوعِ من', 'the subject is kept');
is($b->dom->find('[name="kept_file"]')->size, 1, 'and the other file');
like($b->text, qr/keep\.png/, 'which is the good one');
ok(!stored($bad), 'it does not lie in the store');
is(scalar left(), 0, 'nor half of it');
is(metric('scanned_infected_total'), 1, 'counted');
like($p->log, qr/clamd found "Eicar-Test-Signature"/, 'and logged');
is($b->submit({ file => [] }, 'form[enctype]')->status, 303,
   'sent again without it');
is($p->value('SELECT count(*) FROM letters'), 2, 'is a letter');

my ($code) = $b->path =~ /sent=(\d+)/;

# what is refused for its kind as well is told the worse

letter($b, [ 'eicar.com', Portal::Clamd::eicar(), 'text/plain' ]);
error_is($b, 422, 'file_infected', 'eicar.com', 'the bare file');

# a file that was good yesterday

letter($b, png('again'))->expect(303, 'good today');
$d->behave(say => "stream: Known.Since-Today FOUND\0");
letter($b, png('again'));
error_is($b, 422, 'file_infected', 'a.png', 'a virus since today');
$d->behave;


# Every way in.

sub clerk_act {
    my ($call, @values) = @_;
    my $db = $p->db;

    $db->begin_work;
    $db->selectrow_array(q{SELECT guard_staff(id, epoch, '', '127.0.0.1')
                           FROM staff WHERE username = 'clerk'});
    my ($value) = $db->selectrow_array("SELECT $call", undef, @values);
    $db->commit;
    return $value;
}

my $clerk = $p->browser->clerk_login('clerk');
my $expert = $p->browser->clerk_login('expert');
my $file = $p->value('SELECT f.id FROM files AS f JOIN letters AS l
                      ON l.id = f.letter_id WHERE l.tracking_code = ?', $code);

$b->get('/desk/tickets/new')->submit({ subject => 'کمک', body => 'متن' })
  ->expect(303, 'a ticket');

my ($number) = $b->path =~ m{/tickets/(\d+)};
my $unit = $p->value(q{SELECT u.id FROM units AS u JOIN staff AS s
                       ON s.unit_id = u.id WHERE s.username = 'expert'});
my $at = "/clerk/letters/$code";

for my $act ([ take => {} ],
             [ refer => { unit => $unit, instruction => 'ببینید' } ])
{
    my ($name, $fields) = @$act;

    $clerk->get($at)->expect(200, 'the letter');
    $clerk->post("$at/$name", {
        %{ Portal::Browser::preset($clerk->form({},
            qq(form[action\$="/$name"]))) },
        %$fields })->expect(303, $name);
}

my $referral = $p->value('SELECT id FROM referrals');

clerk_act('letter_ask_correction(?, ?, ?, ?)', key(), $code, 'تار است',
          $file);

my $letter = "/desk/letters/$code";

for my $way (
    [ $b, '/desk/letters/new', '/desk/letters/check',
      { person_kind => 'natural', address => 'ی', subject => 'س',
        body => 'م' }, 'a draft' ],
    [ $b, $letter, "$letter/corrections", { file_id => $file },
      'a correction' ],
    [ $b, '/desk/tickets/new', '/desk/tickets',
      { subject => 'س', body => 'م' }, 'a ticket' ],
    [ $b, "/desk/tickets/$number", "/desk/tickets/$number/messages",
      { body => 'م' }, 'a message' ],
    [ $clerk, "/clerk/tickets/$number", "/clerk/tickets/$number/messages",
      { body => 'م' }, "a clerk's message" ],
    [ $expert, "/clerk/referrals/$referral",
      "/clerk/referrals/$referral/answer", { body => 'نظر' },
      'an answer of a unit' ],
    [ $clerk, $at, "$at/reply", { body => 'پاسخ', final => 1 }, 'a reply' ],
    [ $b, $letter, "$letter/followups", { body => 'پیگیری' },
      'a follow-up' ])
{
    my ($who, $page, $to, $fields, $what) = @$way;
    my $before = rows();
    my $form = $who->get($page)->expect(200, $what)
               ->form({}, qq(form[action\$="$to"]));
    my %fields = (%{ $form ? Portal::Browser::preset($form)
                           : { submission_key => key() } }, %$fields);
    my $bad = infected($what);

    utf8::encode($bad->[1]) if utf8::is_utf8($bad->[1]);
    $who->post($to, { %fields, file => [ $bad ] });
    error_is($who, 422, 'file_infected', 'bad.png', $what);

    if ($fields->{body} && $what ne 'a draft') {
        my ($shown) = grep { $_->val eq $fields->{body} }
                      $who->dom->find('textarea[name="body"]')->each;
        ok($shown, "$what: the words are kept");
    }

    is(rows(), $before, "$what: no row");
    ok(!stored($bad), "$what: no file");

    $who->post($to, { %fields, file => [ png("good $what") ] });
    is($who->status, 303, "$what: a good one goes") or diag $who->text;
}

is($p->value('SELECT count(*) FROM files WHERE scan IS DISTINCT FROM
              \'clean\''), 0, 'all that came in was scanned');


# Answers that are none, or come in pieces.

$d->behave(split => 1);
is(letter($b, png('split'))->status, 303, 'an answer byte by byte');
letter($b, infected('split'));
error_is($b, 422, 'file_infected', 'bad.png', 'a virus byte by byte');

$d->behave(late => 1);
is(letter($b, large('late'))->status, 303, 'a late answer');
$d->behave(read_late => 1);
is(letter($b, large('read late'))->status, 303, 'a late reader');

$p->allow(qr/\[crit\].*could not be stored/);

for my $case (
    [ 'its size limit', { limit => 30000 }, qr/INSTREAM size limit exceeded/ ],
    [ 'hung up in the middle', { drop => 65536 }, undef ],
    [ 'hung up at once', { drop => 0 }, undef ],
    [ 'an error', { say => "stream: Can't allocate memory. ERROR\0" },
      qr/Can't allocate memory/ ],
    [ 'a verdict without its end', { say => 'stream: OK' }, undef ],
    [ 'something like a verdict', { say => "stream: OKAY\0" }, undef ],
    [ 'a verdict of something else', { say => "/etc/passwd: OK\0" }, undef ],
    [ 'words without end', { say => 'x' x 5000 }, undef ],
    [ 'nothing but control bytes', { say => "\x1b[2J\n\r\0" }, qr/"\?\[2J\?\?"/ ],
    [ 'a verdict before the end', { early => "stream: OK\0" }, undef ])
{
    my ($what, $how, $said) = @$case;
    my $before = rows();

    $d->behave(%$how);

    my $file = large($what);

    letter($b, $file);
    error_is($b, 503, 'file_unscanned', 'large.png', $what);
    is($b->dom->at('[name="subject"]')->val, 'موضوعِ من',
       "$what: the form is kept");
    is(rows(), $before, "$what: no row");
    ok(!stored($file), "$what: no file");
    like($p->log, $said, "$what: logged") if $said;
}

$d->behave(early => "stream: Found-Early FOUND\0");
letter($b, large('early'));
error_is($b, 422, 'file_infected', 'large.png', 'found before the end');

# a thread removes it, maybe behind the answer

ok(wait_until(10, sub { my @left = left(); !@left }),
   'nothing half is left');


# Not there at all.

$d->stop;
letter($b, png('down'));
error_is($b, 503, 'file_unscanned', 'a.png', 'clamd is away');
is($b->get('/desk')->status, 200, 'what needs no scan goes on');
is($p->browser->get('/health')->status, 200, 'and is healthy');
ok(!$p->browser->json('/health')->{clamd}{up}, 'but for clamd');
cmp_ok(metric('scanned_not_total'), '>', 9, 'counted');
$d->start;
$d->behave;
is(letter($b, png('down'))->status, 303, 'and there again');
ok($p->browser->json('/health')->{clamd}{up}, 'which is seen');


# Never answers: nobody else waits for it.

my @others = map { citizen() } 1 .. 4;

$d->behave(silent => 1);

sub send_p {
    my ($b, @files) = @_;

    $b->get('/desk/letters/new')->expect(200, 'the form');
    my $fields = Portal::Browser::preset($b->form({}, 'form[enctype]'));

    return $b->ua->start_p($b->ua->build_tx(
        POST => $b->url('/desk/letters'), {}, form => {
            %$fields, person_kind => 'natural', address => 'ی',
            subject => 'س', body => 'م',
            file => [ map { Portal::Browser::file_part(@$_) } @files ] }));
}

sub all {
    my (@promises) = @_;
    my @status;

    Mojo::Promise->all_settled(@promises)->then(sub {
        @status = map { my $tx = ($_->{value} // [])->[0];
                        ref $tx ? $tx->res->code : undef } @_;
    })->wait;
    return @status;
}

my $asked = time;
my @waiting = map { send_p($others[$_], png("silent $_")) } 0 .. 3;
my ($slowest, $served) = (0, 0);
my $ask; $ask = sub {
    my $since = time;

    $p->{ua_other} //= Mojo::UserAgent->new;
    $p->{ua_other}->proxy->http(undef);
    return $p->{ua_other}->get_p($p->base . '/')->then(sub {
        $slowest = time - $since if time - $since > $slowest;
        $served++ if $_[0]->res->code == 200;
        return time - $asked < 3
            ? Mojo::Promise->timer(0.05)->then($ask) : 1;
    });
};

my @status = all(@waiting, $ask->());

pop @status;
is_deeply(\@status, [ (503) x 4 ], 'after its time: refused');
cmp_ok($served, '>', 5, 'other pages were served meanwhile');
cmp_ok($slowest, '<', 3, 'without waiting for clamd');


# No more at once than allowed; the others wait for their turn.

$p->configure(http => scan('timeout=30s', 'max=2'));
$p->reload;
$d->forget;
$d->behave(late => 0.3);
@status = all(map { send_p($others[$_ % 4], png("crowd $_"),
                           png("crowd $_ b")) } 0 .. 7);
is_deeply(\@status, [ (303) x 8 ], 'eight at once are all taken');
is(max(map { $_->{running} } $d->seen), 2,
   'two by two');


# Clients that go while clamd thinks: with all they had to say, or in the
# middle of the second file.

sub cookies {
    my ($b) = @_;

    return join '; ', map { $_->name . '=' . $_->value }
           @{ $b->ua->cookie_jar->find(Mojo::URL->new($b->url('/'))) };
}

sub part { "--x\r\nContent-Disposition: form-data; name=\"$_[0]\"" }

sub field { part($_[0]) . "\r\n\r\n$_[1]\r\n" }

sub file {
    my ($file) = @_;

    return part('file') . "; filename=\"$file->[0]\"\r\n"
           . "Content-Type: image/png\r\n\r\n$file->[1]\r\n";
}

sub begun {
    my ($b, $path, $length, $body) = @_;
    my $s = $p->socket;

    syswrite $s, "POST $path HTTP/1.1\r\nHost: localhost\r\n"
        . 'Cookie: ' . cookies($b) . "\r\n"
        . "Content-Type: multipart/form-data; boundary=x\r\n"
        . "Content-Length: $length\r\n\r\n$body";
    return $s;
}

sub half_p {
    my ($b) = @_;

    return begun($b, '/desk/letters', 10_000_000,
                 field(csrf => $b->csrf) . file(png('half 1'))
                 . file(large('half 2')));
}

$d->forget;
$d->behave(late => 2);

my $before = rows();
my @half = map { half_p($b) } 1 .. 2;

ok(wait_until(10, sub { left() }), 'files are on their way in');
$_->close for @half;
ok(wait_until(20, sub { !left() }), 'clients gone: so are their files');
is(rows(), $before, 'and no row is made');

$others[0]->ua->request_timeout(1);
is_deeply([ all(map { send_p($others[0], png("gone $_")) } 1 .. 3) ],
          [ (undef) x 3 ], 'three do not wait for the answer');
$others[0]->ua->request_timeout(60);
ok(wait_until(20, sub { rows() == $before + 3 && !left() }),
   'what they sent was whole, and is taken');
$d->behave;
is(letter($b, png('after'))->status, 303, 'the next one finds a free place');


# A client has its time for its own words only: not for clamd's.

my $h2 = Instance::free_port();

$p->configure(http => scan('timeout=5s')
                      . "    client_body_timeout 1s;\n",
              server => "        listen 127.0.0.1:$h2 http2;\n");
$p->reload;

sub ticket {
    my ($b, $subject, $file) = @_;

    return field(csrf => $b->csrf) . field(submission_key => key())
           . field(subject => $subject) . file($file) . "--x\r\n";
}

sub tickets {
    return $p->value('SELECT count(*) FROM tickets WHERE subject = ?',
                     $_[0]);
}

my $end = substr field(body => 'body') . "--x--\r\n", 5;
my $begin = ticket($b, 'slow scan', png('slow scan'));

$d->behave(late => 2.5);

my $s = begun($b, '/desk/tickets', length $begin . $end, $begin);

sleep 2;
syswrite $s, $end;
like(scalar <$s>, qr{^HTTP/1.1 303 }, 'a scan longer than a client may be');
is(tickets('slow scan'), 1, 'the form is taken');

$d->behave;
$begin = ticket($b, 'slow client', png('slow client'));
$s = begun($b, '/desk/tickets', length $begin . $end, $begin);
like(scalar <$s>, qr{^HTTP/1.1 408 }, 'behind it a client is waited for');

# HTTP/2 takes bytes in, up to its window, while nobody reads

sub frame {
    my ($type, $flags, $stream, $data) = @_;

    return pack('NCN', length($data) << 8 | $type, $flags, $stream) . $data;
}

sub header_line {
    return "\0" . join '', map { pack('w', length) . $_ } @_;
}

sub begun_h2 {
    my ($b, $path, $body) = @_;
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $h2)
        // die "nginx: $@\n";

    syswrite $s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
        . frame(1, 4, 1, join '', map { header_line(@$_) }
              [ ':method', 'POST' ], [ ':scheme', 'http' ],
              [ ':path', $path ], [ ':authority', 'localhost' ],
              [ 'content-type', 'multipart/form-data; boundary=x' ],
              map { [ cookie => $_ ] } split /; /, cookies($b))
        . frame(0, 0, 1, $body);
    return $s;
}

$d->behave(late => 2.5);
$s = begun_h2($b, '/desk/tickets', ticket($b, 'slow h2', png('slow h2')));
sleep 0.5;
syswrite $s, frame(0, 0, 1, substr $end, 0, 10);
sleep 1.5;
syswrite $s, frame(0, 1, 1, substr $end, 10);
ok(wait_until(5, sub { tickets('slow h2') }), 'in HTTP/2 as well');
close $s;
$d->behave;


# No descriptor is left to read it again.

$p->configure(http => scan('timeout=30s', 'max=2'), server => '');
$p->reload;

my ($worker) = $p->workers;

$p->allow(qr/a file cannot be read for its scan|accept4\(\) failed/);
$begin = ticket($b, 'full', large('full'));
$s = begun($b, '/desk/tickets', length $begin . $end,
           substr $begin, 0, -10);
ok(wait_until(10, sub { left() }), 'a file is on its way in');
$p->descriptors($worker, 4);
syswrite $s, substr($begin, -10) . $end;
like(scalar <$s>, qr{^HTTP/1.1 503 }, 'no descriptor for the scan: 503');
$p->descriptors($worker, 1024);
like($p->log, qr/a file cannot be read for its scan/, 'logged');
is(tickets('full'), 0, 'and no ticket');


# A reload waits for what is being scanned.

$d->behave(late => 2);

my $sent = send_p($others[1], png('reload'));
my $reloaded = Mojo::Promise->timer(0.7)->then(sub {
    kill HUP => $p->nginx_pid;
});

is((all($sent, $reloaded))[0], 303, 'a letter outlives a reload');

# One that ends before clamd has answered cuts the request off.

$d->behave(silent => 1);
$p->configure(replace => [[ qr/^(worker_shutdown_timeout) .*;/m,
                            'worker_shutdown_timeout 1s;' ]]);
$p->reload;
$before = rows();
$sent = send_p($others[2], png('cut'));
$reloaded = Mojo::Promise->timer(0.7)->then(sub {
    kill HUP => $p->nginx_pid;
});
like((all($sent, $reloaded))[0] // 'cut', qr/^(?:cut|503)$/,
     'a worker that must go goes');
ok(wait_until(10, sub { !left() }), 'leaving nothing behind');
is(rows(), $before, 'and no row');
$d->behave;


# "take": without a verdict the file is taken, and marked.

$p->configure(http => scan('down=take', 'timeout=3s'));
$p->reload;
$d->stop;
letter($b, png('unseen', 'unseen.png'))->expect(303, 'taken unseen');
($code) = $b->path =~ /sent=(\d+)/;
is($p->value(q{SELECT scan FROM files WHERE name = 'unseen.png'}),
   'unchecked', 'its row says so');
$clerk->get("/clerk/letters/$code")->expect(200, 'the letter');
like($clerk->text, qr/unseen\.png.*?بررسی نشده/, 'and so does the page');
unlike($b->get("/desk/letters/$code")->text, qr/بررسی نشده/,
       'the citizen is not told');
clerk_act('letter_ask_correction(?, ?, ?, ?)', key(), $code, 'تار است',
          $p->value(q{SELECT id FROM files WHERE name = 'unseen.png'}));
$b->get("/desk/letters/$code")
  ->submit({ file => [ png('later', 'later.png') ] },
           'form[action$="/corrections"]')->expect(303, 'more of it');
$clerk->get("/clerk/letters/$code");
like($clerk->text, qr/later\.png.*?بررسی نشده/, 'in the thread as well');

# a form that comes back carries it along

$b->get('/desk/tickets/new')
  ->submit({ subject => 'س', body => '', file => [ png('box', 'box.png') ] });
is($b->status, 422, 'a form with an error');
$d->start;
$b->submit({ body => 'متن' })->expect(303, 'sent');
is($p->value(q{SELECT scan FROM files WHERE name = 'box.png'}), 'unchecked',
   'what was taken unseen stays marked');
($number) = $b->path =~ m{/tickets/(\d+)};
like($clerk->get("/clerk/tickets/$number")->text,
     qr/box\.png.*?بررسی نشده/, 'in a ticket');
letter($b, infected('take'));
error_is($b, 422, 'file_infected', 'bad.png', 'clamd is back');
$d->stop;


# Over TCP; not at all.

my $port = Instance::free_port();

$d = Portal::Clamd->new(dir => $dir, listen => $port);
$p->configure(http => "    correspondence_scan 127.0.0.1:$port;\n");
$p->reload;
is(letter($b, large('tcp'))->status, 303, 'over TCP');
letter($b, infected('tcp'));
error_is($b, 422, 'file_infected', 'bad.png', 'over TCP');
$d->forget;
$p->configure(http => "    correspondence_scan off;\n");
$p->reload;
is(letter($b, png('off', 'off.png'))->status, 303, 'off');
is($p->value(q{SELECT scan FROM files WHERE name = 'off.png'}), undef,
   'nobody was asked');
is_deeply([ $d->seen ], [], 'nobody');


# What nginx says of a directive that is wrong.

for my $case ([ 'unix:', qr/in address|no path/ ],
              [ '127.0.0.1 timeout=x', qr/invalid parameter "timeout=x"/ ],
              [ '127.0.0.1 timeout=0', qr/invalid parameter "timeout=0"/ ],
              [ '127.0.0.1 max=0', qr/invalid parameter "max=0"/ ],
              [ '127.0.0.1 max=many', qr/invalid parameter "max=many"/ ],
              [ '127.0.0.1 down=maybe', qr/invalid parameter "down=maybe"/ ],
              [ '127.0.0.1; correspondence_scan off', qr/is duplicate/ ])
{
    my ($text, $like) = @$case;
    my ($ok, $said) = $p->test_conf(
        http => "    correspondence_scan $text;\n");

    ok(!$ok, "refused: $text");
    like($said, $like, 'and why');
}

$d->stop;
$p->done;
