#!/usr/bin/perl

# What holds for all of sql/: least rights, safe functions, statements that
# the module can decode, names that exist.

use strict;
use warnings;
use utf8;

use FindBin;
use lib $FindBin::Bin;
use Test::More;

use Cluster;

my $pg = Cluster->new;
my $db = $pg->db;
my $owner = $pg->owner;


sub list { join ' ', map { $_->[0] } @{$owner->selectall_arrayref($_[0])} }
sub slurp { open my $in, '<:encoding(UTF-8)', $_[0] or die "$_[0]: $!";
            local $/; readline $in }


# Rights -----------------------------------------------------------------------------

is list(q{SELECT table_name || ':' || privilege_type
    FROM information_schema.role_table_grants
   WHERE grantee = 'correspondence_portal' AND privilege_type <> 'SELECT'}),
   '', 'the portal may change no table';
is list(q{SELECT c.relname FROM pg_class AS c
   WHERE c.relnamespace = 'correspondence'::regnamespace AND c.relkind = 'S'
     AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(
             'correspondence_portal', c.oid, 'USAGE, SELECT, UPDATE') END}),
   '', 'nor any sequence';

for my $secret ('password_hash FROM persons', 'password_hash FROM staff',
    'totp_secret FROM staff', 'totp_step FROM staff', 'secret FROM messages',
    'code_hash FROM codes', 'token_hash FROM invitations', '* FROM tries',
    '* FROM person_browsers', '* FROM decoy_messages',
    '* FROM decoy_key', '* FROM identity_evidence')
{
    ok !eval { $db->do("SELECT $secret"); 1 }, "the portal cannot read $secret";
}

ok !eval { $db->do('CREATE TABLE correspondence.x ()'); 1 }, 'nor make tables';
ok !eval { $db->do(q{SELECT staff_create_ready('x','x','admin',NULL,'h','t')});
           1 }, 'nor make itself an administrator';
ok !eval { $db->do(q{SELECT staff_bootstrap('x','x','admin',NULL,'h',1)}); 1 },
   'nor invite one';
ok !eval { $db->do(q{SELECT audit_add('owner',1,NULL,'a','b','c','d')}); 1 },
   'nor write audit lines of others';

is list(q{SELECT proname FROM pg_proc
   WHERE pronamespace = 'correspondence'::regnamespace AND prosecdef
     AND NOT coalesce(array_to_string(proconfig, ',')
                      LIKE 'search_path=%pg_temp%', false)}),
   '', 'functions with the owner’s rights have a fixed search_path';
is list(q{SELECT proname FROM pg_proc
   WHERE pronamespace = 'correspondence'::regnamespace
     AND has_function_privilege('public', oid, 'EXECUTE')
     AND proname NOT IN ('append_only', 'calendar_changed')}),
   '', 'no function is everybody’s';

# Every SECURITY DEFINER function that acts for somebody asks who acts.
my %open = map { $_ => 1 } qw(
    guard_person guard_person_note guard_staff audit_refused
    signup_request signup_verify signup_claim login_code_mobile code_request
    code_resend code_state login_code_verify recover_verify recover_granted
    recover_password login_try login_done login_renew identity_result identity_claim
    track store_marked files_unreferenced file_removal_begin file_removal_end housekeeping
    calendar_follow
    staff_login_try staff_login_done staff_login_renew staff_totp_try staff_totp_done
    company_claim company_result
    invitation_show invitation_password invitation_totp invitation_done
    messages_claim message_result messages_sweep messages_to_check
    message_checked gateway_budget_add audit_seal audit_check audit_verify);
is join(' ', grep { !$open{$_} } split / /, list(q{SELECT proname FROM pg_proc
   WHERE pronamespace = 'correspondence'::regnamespace AND prosecdef
     AND prosrc !~ 'me_person\(|me_staff\(|context_id\(|referral_reply\(|letter_act\(|audit_person\(|audit_staff\('
   ORDER BY 1})), '', 'every other one needs a guard before it';

# Statements --------------------------------------------------------------------------

my %decoded = map { $_ => 1 } qw(bool bytea int2 int4 int8 float8 text
    varchar date timestamptz uuid json jsonb);
my (@undecoded, @unprepared, %seen, $n);

for my $file (glob "$Cluster::TOP/sql/statements/*.sql") {
    my $text = slurp($file);
    while ($text =~ /^-- name: (\w+)\n(.*?);\n/msg) {
        my ($name, $sql) = ($1, $2);
        $n++;
        push @unprepared, "$name twice" if $seen{$name}++;
        if (!eval { $db->do("PREPARE s_$name AS $sql"); 1 }) {
            push @unprepared, "$name: $@";
            next;
        }
        (my $null = $sql) =~ s/\$\d+/NULL/g;
        my $sth = $db->prepare("SELECT * FROM ($null) AS q LIMIT 0");
        if (!eval { $sth->execute; 1 }) {
            push @unprepared, "$name: $@";
            next;
        }
        push @undecoded, map { "$name.$sth->{NAME}[$_]" }
            grep { !$decoded{$sth->{pg_type}[$_]} } 0 .. $#{$sth->{NAME}};
    }
}
is "@unprepared", '', "$n statements prepare, with the portal’s rights";
is "@undecoded", '', 'and return only types that the module decodes';

# Which of them writes decides where it is sent: dev/names reads it from sql/,
# here the server says it.
my $writers = join '|', split / /, list(q{SELECT proname FROM pg_proc
   WHERE pronamespace = 'correspondence'::regnamespace AND prosecdef
     AND provolatile = 'v'});
my $made = slurp("$Cluster::TOP/build/gen/statements.c");
my (@kind, $kinds);

while ($made =~ /corr_str\("(\w+)"\),\n(.*?),\n\s+\d+, ([01]) \},/sg) {
    my ($name, $writes) = ($1, $3);
    my $is = $pg->statement($name) =~ /\b(?:$writers)\s*\(/ ? 1 : 0;

    $kinds++;
    push @kind, $name if $is != $writes;
}

is $kinds, $n, 'each statement reads or writes';
is "@kind", '', 'as its functions do';

# What citizens' statements must not touch.
for my $name (grep { /^(letters|drafts|tickets|desk|verify)_/ } keys %seen) {
    (my $sql = $pg->statement($name)) =~ s/= 'staff'//g;
    fail "$name names staff, notes or referrals"
        if $sql =~ /\b(staff|referrals|staff_id|for_id|owner_id|instruction)\b/;
    fail "$name reads events of any visibility"
        if $sql =~ /\bevents\b/ && $sql !~ /e\.visibility = 'citizen'/;
    fail "$name reads files of any visibility"
        if $sql =~ /\bfiles AS f ON f\.letter_id/
           && $sql !~ /f\.visibility = 'citizen'/;
    fail "$name does not ask whose"
        if $name !~ /^verify/ && $sql !~ /person_id = \$1::bigint/;
}
pass 'citizens’ statements ask whose it is and name nothing internal';

# Names -----------------------------------------------------------------------------------

my $functions = join '', map { slurp($_) }
    glob("$Cluster::TOP/sql/functions/*.sql"),
    glob("$Cluster::TOP/sql/migrations/*.sql");
my %messages = map { $_ => 1 }
    slurp("$Cluster::TOP/html/messages.txt") =~ /^(\w+):/mg;
my %used;
$used{$2} = 1 while $functions =~ /fail\('CR\d+',\s*'(\w+:)?(\w+)'/g;
$used{$1} = 1 while $functions =~ /MESSAGE = '(\w+)'/g;
$used{$_} = 1 for qw(unit_code_taken name_taken);
is join(' ', grep { !$messages{$_} } sort keys %used), '',
   'every refusal has its sentence in html/messages.txt';

my %sms = map { m{/(\w+)\.txt$} => 1 } glob "$Cluster::TOP/html/sms/*.txt";
my %sent;
$sent{$1} = 1 while $functions =~ /message_add\(\s*'(\w+)'/g;
$sent{$1} = 1 while $functions =~ /letter_message\(v_letter, v_event, '(\w+)'/g;
$sent{$_} = 1 for qw(code identity_done identity_no);
cmp_ok scalar keys %sent, '>', 9, 'SMS templates are used';
is join(' ', grep { !$sms{$_} } sort keys %sent), '',
   'and each has its text in html/sms';

done_testing;
