#!/usr/bin/perl

# A company's letter while its gateway is away: it is taken, the clerk sees
# that nothing was compared, and it is asked again in the background.  What
# the gateway said is kept.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::RealBin/lib";

use Portal;
use Portal::Numbers;
use Test::More;
use Time::HiRes qw(sleep time);

my $p = Portal->new;
my $clerk = $p->browser->clerk_login('clerk');
my $b = $p->browser;
my $who = $b->signup;

$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});
$b->set_password;

my $id = legal_id();
my $number = substr($id, 3, 6) + 0 || 1;
my %company = (person_kind => 'legal', company_name => 'بانک مرکزی',
    company_national_id => $id, registration_number => $number,
    company_postal_code => postal_code(), company_phone => phone(),
    position => 'مدیرعامل');
my %tag = (yes => 'مشخصات شرکت با سامانه ثبت شرکت‌ها تطبیق داده شده است',
           open => 'مشخصات شرکت هنوز بررسی نشده است',
           no => 'مشخصات شرکت با سامانه ثبت شرکت‌ها نمی‌خواند');


sub of_letter {
    my ($code, $column) = @_;

    return $p->value("SELECT $column FROM letters WHERE tracking_code = ?",
                     $code);
}

# $tag of the clerk's page, and none of the others

sub clerk_sees {
    my ($code, $tag, $name) = @_;

    $clerk->get("/clerk/letters/$code")->expect(200, 'the letter');
    is(join(' ', grep { $clerk->text =~ /\Q$tag{$_}\E/ } sort keys %tag),
       $tag, $name);
}

sub asked { my $n = () = $p->requests('company'); $n }

sub state_of {
    $p->value('SELECT check_state FROM companies WHERE national_id = ?',
              $_[0]);
}

# in the minutes between two questions nothing would happen here

sub hurry {
    $p->sql(q{UPDATE companies SET check_next_at = now()
               WHERE check_state = 'pending'
                 AND check_next_at > now() + interval '10 seconds'});
}

sub evidence {
    join ' ', map { $_->{verdict} } $p->sql(q{SELECT verdict
        FROM identity_evidence WHERE step = 'company'
         AND company_national_id = ? AND provider = 'company'
         ORDER BY id}, $_[0]);
}


# Away: taken as written, and the clerk is told.

$p->fault(service => 'company', kind => 'status', status => 500);

my $code = $b->send_letter(subject => 'یکم', %company);
my $wrong = $b->send_letter(subject => 'دوم', %company,
                            registration_number => $number + 1);
my $last = $b->send_letter(subject => 'سوم', %company);

is(of_letter($code, 'company_name'), 'بانک مرکزی', 'the name as written');
clerk_sees($code, 'open', 'the clerk sees that it was not compared');
ok($clerk->dom->at('summary .tag-unproven'), 'without opening anything');
is(evidence($id), 'unknown unknown unknown', 'the silence is kept');

my $before = asked();

hurry();
ok(wait_until(15, sub { asked() > $before }), 'asked again');
sleep 0.5;
is(state_of($id), 'pending', 'still silent');
clerk_sees($code, 'open', 'still not compared');


# Back: asked by itself.

$p->no_faults;
ok(wait_until(30, sub { hurry(); state_of($id) eq 'yes' }), 'it answers');
clerk_sees($code, 'yes', 'the clerk sees that it was compared');
like(of_letter($code, 'company_name'), qr/^شرکت /, 'under its true name');
unlike($clerk->body, qr/بانک مرکزی/, 'and under no other');
ok(of_letter($last, 'company_checked'), 'so is the other one');
clerk_sees($wrong, 'open', 'not the one with another number');
like(evidence($id), qr/^unknown.* yes\z/, 'the yes is kept');


# What is said while the form is filled in is kept as well.

my $second = legal_id();
my %second = (%company, company_national_id => $second,
              registration_number => substr($second, 3, 6) + 0 || 1);

$b->send_letter(subject => 'چهارم', %second);
is(evidence($second), 'yes', 'a yes');

$p->fault(service => 'company', kind => 'no');
$second = legal_id();
$b->get('/desk/letters/new');
$b->submit({ address => 'تهران', subject => 'پنجم', %company,
             company_national_id => $second,
             file => [ [ 'a.png', Portal::Browser::tiny_png(), 'image/png' ] ]
           }, 'form[enctype]');
is($b->status, 422, 'a company that is none');
is(evidence($second), 'no', 'its no');
is($p->value(q{SELECT registration_number || ' ' || reason
      FROM identity_evidence WHERE company_national_id = ?}, $second),
   "$number mismatch", 'and what was asked');
$p->no_faults;


# A no in the background.

$p->fault(service => 'company', kind => 'status', status => 500);
$second = legal_id();
$code = $b->send_letter(subject => 'ششم', %company,
    company_national_id => $second,
    registration_number => (substr($second, 3, 6) + 0 || 1) + 1);
$p->no_faults;
ok(wait_until(30, sub { hurry(); state_of($second) eq 'no' }),
   'another registration number');
clerk_sees($code, 'no', 'the clerk sees that it does not fit');
is(of_letter($code, 'company_name'), 'بانک مرکزی', 'the name stays');


# A worker that quits ends what it has asked.

$p->fault(service => 'company', kind => 'status', status => 500);
$second = legal_id();
$code = $b->send_letter(subject => 'هفتم', %company,
    company_national_id => $second,
    registration_number => substr($second, 3, 6) + 0 || 1);
$p->no_faults;
$p->fault(service => 'company', kind => 'delay', seconds => 3);
$before = asked();
hurry();
ok(wait_until(30, sub { asked() > $before }), 'it is being asked');
$p->reload;
ok(wait_until(15, sub { state_of($second) eq 'yes' }),
   'and the answer is recorded');
ok(of_letter($code, 'company_checked'), 'for the letter too');
$p->no_faults;


# Each question is paid.  Who has asked enough for today sends his letter all
# the same, and the company is asked about behind it.

$p->configure(http => ($p->{options}{http} // '')
                      . "    correspondence_company_asks_per_day 1;\n");
$p->reload or die;
$second = legal_id();
$before = asked();
$b->get('/desk/letters/new');
$b->submit({ address => 'تهران', subject => 'هشتم', %company,
             company_national_id => $second,
             registration_number => substr($second, 3, 6) + 0 || 1,
             file => [ [ 'a.png', Portal::Browser::tiny_png(), 'image/png' ] ]
           }, 'form[enctype]');
is($b->status, 303, 'a letter of who has asked enough');
is(asked(), $before, 'nothing is asked while it is sent');
$code = $p->value(q{SELECT tracking_code FROM letters
                    WHERE subject = 'هشتم'});
clerk_sees($code, 'open', 'the clerk sees that it was not compared');
ok(wait_until(30, sub { hurry(); state_of($second) eq 'yes' }),
   'it is asked about behind the letter');
clerk_sees($code, 'yes', 'and then it was');

my $colleague = $p->browser;

$who = $colleague->signup;
$p->db->do(q{UPDATE persons SET mobile_step = 'yes', registry_step = 'yes',
             first_name = 'زهرا', last_name = 'کریمی', father_name = 'علی'
             WHERE national_code = ?}, undef, $who->{national_code});
$second = legal_id();
$before = asked();
$colleague->send_letter(subject => 'نهم', %company,
    company_national_id => $second,
    registration_number => substr($second, 3, 6) + 0 || 1);
is(asked(), $before + 1, 'somebody else has a day of his own');

$p->done;
