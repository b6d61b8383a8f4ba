#!/usr/bin/perl

# A civil registry that returns no names but says how alike those are that
# the person types: they are asked for, wait with the question when no answer
# comes, and become the person's with a yes.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Doubles;

my $d = Portal::Doubles->new;
my $p = Portal->new(start => 0);
my $similarity = '/ide/v1/services/identity/similarity';
my $conf = $d->conf('jibit')
           =~ s/correspondence_gateway shahkar .*?^\}//msr
           =~ s{\@\@SECRETS\@/}{\@$p->{dir}/secrets/}gr;

for my $name (qw(jibit.key jibit.secret)) {
    $p->instance->write_file("$p->{dir}/secrets/$name",
                             "$Portal::Doubles::secrets{$name}\n", 0600);
}

$p->configure(without => [ 'registry' ], http => "$conf\n");
$p->start_nginx;

my $b = $p->browser;
my $who = $b->signup;
my $form = 'form[action$="/identity/registry"]';


sub person {
    my ($column) = @_;

    return $p->value("SELECT $column FROM persons WHERE national_code = ?",
                     $who->{national_code});
}


$b->get('/desk/identity')->submit({}, 'form[action$="/identity/mobile"]')
  ->follow;
ok($b->dom->at("$form input[name=$_]"), "$_ is asked for")
    for qw(first_name last_name father_name);

$b->submit({ first_name => '', last_name => 'موسوي', father_name => 'علي' },
           $form);
is($b->status, 422, 'without a name');
like($b->text, qr/نام را مطابق شناسنامه بنویسید/, 'it says so');
is($b->dom->at('#last_name')->attr('value'), 'موسوي', 'the others stay');
is(scalar($d->requests($similarity)), 0, 'nothing was asked');

# the registry is away: the names wait with the question

$d->say(path => $similarity, status => 500, text => 'x');
$b->submit({ first_name => 'زهرا', last_name => 'موسوي',
             father_name => 'علي' }, $form)->follow;
is(person('registry_step'), 'pending', 'no answer: pending');
is(person('first_name'), undef, 'no name yet');
is_deeply([ $p->sql('SELECT first_name, last_name, father_name
                       FROM identity_tasks') ],
          [ { first_name => 'زهرا', last_name => 'موسوی',
              father_name => 'علی' } ], 'the names wait');

$d->quiet;
$d->forget;
ok(wait_until(30, sub {
    $p->sql('UPDATE identity_tasks SET next_at = now()');
    return person('registry_step') eq 'yes';
}), 'asked in the background: yes');

my ($asked) = $d->requests($similarity);

like(Mojo::Util::url_unescape($asked->{query}),
     qr/firstName=/, 'with the names');
is(join(' ', map { person($_) } qw(first_name last_name father_name)),
   'زهرا موسوی علی', 'which are the person\'s now');
is(person('level'), 3, 'level 3');
is($p->value('SELECT count(*) FROM identity_tasks'), 0,
   'and wait nowhere any more');
like($b->get('/desk')->text, qr/زهرا موسوی/, 'the desk knows');

# not alike

$b = $p->browser;
$who = $b->signup;
$b->get('/desk/identity')->submit({}, 'form[action$="/identity/mobile"]')
  ->follow;
$b->submit({ first_name => 'علی', last_name => 'موسوی',
             father_name => 'علی' }, $form)->follow;
is(person('registry_step'), 'no', 'another name: no');
is(person('first_name'), undef, 'which is nobody\'s');
like($b->text, qr/نام با هم نمی‌خوانند/, 'the page says what may be wrong');
ok($b->dom->at("$form input[name=first_name]"), 'and asks again');

$p->done;
