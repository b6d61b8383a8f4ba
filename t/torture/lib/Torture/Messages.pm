package Torture::Messages;

# The account of every message: what was in the table arrived.
#
#   my $m = Torture::Messages->new($portal);
#   $m->add(300);
#   $m->misbehave;            # called again and again: faults of the provider
#   $m->drain(120) or …;
#   my $a = $m->account;
#
# Duplicates are what the provider was asked to send again under one local
# id: Kavenegar drops these, others would have sent them twice.

use strict;
use warnings;
use utf8;

use Time::HiRes qw(sleep time);

use Portal;


sub new {
    my ($class, $portal, %o) = @_;

    return bless { portal => $portal, %o }, $class;
}


sub add {
    my ($self, $number) = @_;

    $self->{portal}->sql(q{
        INSERT INTO messages (template, params, mobile)
        SELECT 'letter_sent', '{"tracking_code": "12345674"}',
               '0912' || lpad(n::text, 7, '0')
          FROM generate_series(1, ?::int) AS n}, $number);
}


# A handful of what a provider may do, each a few times.

sub misbehave {
    my ($self) = @_;
    my $p = $self->{portal};

    eval {
        $p->no_faults;
        $p->fault(service => 'sms', kind => $_->[0], times => $_->[1],
                  @$_[2 .. $#$_])
            for [ delay => 6, seconds => 1 ], [ drop => 3 ], [ lose => 3 ],
                [ garbage => 1 ], [ status => 1, status => 503 ];
        $p->fault(service => 'sms_status', kind => 'drop', times => 1);
    };
}


sub left {
    my ($self) = @_;

    return $self->{portal}->value(q{SELECT count(*) FROM messages
        WHERE state IN ('queued', 'sending', 'unknown')});
}


# Waits until all have left.  The relay's pauses, which are minutes after a
# few tries, are made short; leases and what is asked for are its own.

sub drain {
    my ($self, $seconds) = @_;
    my $p = $self->{portal};

    return wait_until($seconds, sub {
        $p->sql(q{UPDATE messages SET next_at = now()
            WHERE state = 'queued' AND next_at > now() + interval '2 s'});
        return !$self->left;
    });
}


sub account {
    my ($self) = @_;
    my $p = $self->{portal};
    my %a = (messages => 0, arrived => 0, lost => 0, doubled => 0,
             problems => [], states => {});
    my (%came, %copies);

    for my $m ($p->messages) {
        next if !defined $m->{localid};
        $came{ Portal::id_of($m->{localid}) } += $m->{came};
        $copies{ Portal::id_of($m->{localid}) }++;
    }

    for my $m ($p->sql('SELECT id, state, template, tries FROM messages
                         WHERE secret IS NULL AND priority > 0'))
    {
        my $n = $came{ $m->{id} } // 0;

        $a{messages}++;
        $a{states}{ $m->{state} }++;
        $a{arrived}++ if $n;
        $a{doubled} += $n - 1 if $n > 1;

        if (!$n) {
            $a{lost}++;
            push @{ $a{problems} }, "message $m->{id} is $m->{state} after "
                . "$m->{tries} tries and never arrived";
        }

        push @{ $a{problems} }, "message $m->{id} arrived twice"
            if ($copies{ $m->{id} } // 0) > 1;
    }

    return \%a;
}


1;
