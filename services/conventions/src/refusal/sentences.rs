//! What people read of each refusal: what is wrong, and what they can do about it.

use nonrecours_kernel::{Text, french_date};

use super::Refusal;
use crate::{attachment::domain::MAX_ATTACHMENTS, convention::party::Party};

impl Refusal {
    /// The sentences for people.
    pub fn text(&self) -> Text {
        match self {
            Self::ConventionNotDraft => Text::new(
                "The convention is past this step: its terms and acts are fixed from the first signature on, and it is \
                 signed once.",
                "La convention n'en est plus là : ses termes et ses actes sont fixés dès la première signature, et elle \
                 ne se signe qu'une fois.",
            ),
            Self::ConventionNotInForce => Text::new(
                "The convention is not in force.",
                "La convention n'est pas en vigueur : les deux parties doivent l'avoir signée, et ses actions ne pas \
                 être déjà terminées.",
            ),
            Self::SigningBlocked(blockers) => Text::new(
                format!("Signing is blocked by {}.", blockers.len()),
                match blockers.len() {
                    1 => "La signature est bloquée : levez le point indiqué.".to_owned(),
                    count => {
                        format!("La signature est bloquée : levez les {count} points indiqués.")
                    }
                },
            ),
            Self::AlreadySigned(party) => Text::new(
                format!("{} has signed already.", party.english()),
                format!("La signature est déjà donnée pour {}.", party.french()),
            ),
            Self::PartyNotAllowed(Party::Authority) => Text::new(
                "Only the authorising officer signs for the authority.",
                "Seul l'ordonnateur signe pour l'autorité.",
            ),
            Self::PartyNotAllowed(Party::Operator) => Text::new(
                "Only the manager of the operator signs for it.",
                "Seul le responsable de l'opérateur signe pour lui.",
            ),
            Self::ActDateMismatch { act, signatory } => Text::new(
                format!(
                    "The act was decided on {act}, the signatory's empowering decision is dated {signatory}."
                ),
                format!(
                    "L'acte a été pris le {}, alors que le signataire est habilité par une décision du {} : corrigez \
                     l'un ou l'autre.",
                    french_date(*act),
                    french_date(*signatory)
                ),
            ),
            Self::ActSirenMismatch(party) => Text::new(
                format!(
                    "The act number bears the SIREN of another body than {}.",
                    party.english()
                ),
                format!(
                    "Le numéro d'acte porte le SIREN d'un autre organisme que {} : vérifiez la partie ou le numéro.",
                    party.french()
                ),
            ),
            Self::AlreadyTransmitted => Text::new(
                "The transmission is recorded already.",
                "La transmission de cet acte est déjà enregistrée.",
            ),
            Self::AlreadyPublished => Text::new(
                "The publication is recorded already.",
                "La publication de cet acte est déjà enregistrée.",
            ),
            Self::ActDatesOutOfOrder { since, today } => Text::new(
                format!(
                    "The day lies outside {since} (the decision, or the step before) to {today} (today)."
                ),
                format!(
                    "Cette date doit être comprise entre le {} (décision ou étape précédente) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::ActTransmissionOutOfOrder(state) => Text::new(
                format!(
                    "The transmission of the act is in state {state}: this step does not follow."
                ),
                match *state {
                    "TO_TRANSMIT" => {
                        "Rien n'est encore envoyé : enregistrez d'abord le dépôt ou la transmission."
                    }
                    "POSTED" => {
                        "L'acte est déposé : enregistrez d'abord sa transmission, son refus ou son échec."
                    }
                    "TRANSMITTED" => "L'acte est déjà transmis.",
                    "ACKNOWLEDGED" => "La préfecture a déjà accusé réception de l'acte.",
                    _ => "La dernière transmission n'a pas abouti : transmettez l'acte à nouveau.",
                },
            ),
            Self::ConventionNotRenewable => Text::new(
                "Only a convention that is or was in force is renewed, for a budget year up to 2100.",
                "Seule une convention en vigueur, ou qui l'a été, se renouvelle, pour un exercice jusqu'à 2100 : faites-la \
                 d'abord signer, ou modifiez-la.",
            ),
            Self::ReportNotEditable => Text::new(
                "The report is handed in: only a draft or a returned one changes.",
                "Ce bilan est déjà remis : seul un brouillon ou un bilan renvoyé pour correction se modifie.",
            ),
            Self::ReportNotSubmitted => Text::new(
                "The report is not handed in.",
                "Ce bilan n'est pas remis : l'opérateur doit le remettre avant qu'il soit accepté ou renvoyé.",
            ),
            Self::ReportWithoutAccounts => Text::new(
                "An operator of private law hands its report in with its accounts: record what was spent and received first.",
                "Un organisme de droit privé remet son bilan avec son compte rendu financier (loi du 12 avril 2000, \
                 art. 10) : enregistrez d'abord le budget réalisé.",
            ),
            Self::ReportNotAccepted => Text::new(
                "No activity report of the convention is accepted.",
                "Aucun bilan de la convention n'est accepté : acceptez-le avant de constater la fin des actions.",
            ),
            Self::CompletionDateOutOfRange { since, today } => Text::new(
                format!("The day lies outside {since} (in force) to {today} (today)."),
                format!(
                    "La fin des actions doit être comprise entre le {} (entrée en vigueur) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::EnvelopeBelowEngaged { engaged } => Text::new(
                format!(
                    "The envelope must stay above zero, and not below what is engaged ({engaged})."
                ),
                format!(
                    "L'enveloppe doit rester supérieure à zéro et au moins égale au montant engagé ({}) : réduisez la \
                     diminution.",
                    engaged.french()
                ),
            ),
            Self::TerritoryConflict { insee_code, day } => Text::new(
                format!(
                    "The territory of {day} contradicts this change of the commune {insee_code}."
                ),
                format!(
                    "La commune {insee_code} ne peut entrer dans le territoire ou en sortir au {} : vérifiez les dates \
                     déjà enregistrées pour elle.",
                    french_date(*day)
                ),
            ),
            Self::StateInstalmentReceived => Text::new(
                "The receipt of this instalment is recorded already.",
                "La réception de ce versement de l'État est déjà enregistrée.",
            ),
            Self::StateReportNotSent => Text::new(
                "The State's balance comes after the territory's report, which is not sent.",
                "Le solde de l'État vient après le bilan du territoire : enregistrez d'abord l'envoi du bilan.",
            ),
            Self::StateReceiptExceedsGrant { remaining } => Text::new(
                format!("Only {remaining} of the State's grant remains to be received."),
                format!(
                    "L'État ne doit plus que {} : vérifiez le montant reçu.",
                    remaining.french()
                ),
            ),
            Self::StateReportSent => Text::new(
                "The sending of the report is recorded already.",
                "L'envoi du bilan à l'État est déjà enregistré.",
            ),
            Self::NothingToPublish { day } => Text::new(
                format!("No convention of this budget year was signed by {day}."),
                format!(
                    "Aucune convention de cet exercice n'était signée au {} : il n'y a rien à publier.",
                    french_date(*day)
                ),
            ),
            Self::PartyNotYours(party) => Text::new(
                format!("You do not act for {}.", party.english()),
                format!(
                    "Vous n'agissez pas pour {} : cette étape revient à l'un de ses agents.",
                    party.french()
                ),
            ),
            Self::ConventionNotRunning => Text::new(
                "The convention is neither in force nor completed.",
                "La convention n'est pas en cours : elle n'est pas encore signée par les deux parties, ou elle est déjà \
                 soldée ou résiliée.",
            ),
            Self::ConventionNotSigned => Text::new(
                "Both parties have not signed the convention yet.",
                "La convention n'est pas encore signée par les deux parties.",
            ),
            Self::DateOutOfRange { since, today } => Text::new(
                format!("The day lies outside {since} (what it follows) to {today} (today)."),
                format!(
                    "Cette date doit être comprise entre le {} (étape précédente) et le {} (aujourd'hui).",
                    french_date(*since),
                    french_date(*today)
                ),
            ),
            Self::NoticeNotPending => Text::new(
                "The formal notice is remedied, withdrawn or effective already.",
                "Cette mise en demeure n'est plus en cours : elle a été suivie d'effet, retirée ou a déjà mis fin à la \
                 convention.",
            ),
            Self::NoticeDelayRunning { deadline } => Text::new(
                format!("The delay of the formal notice runs until {deadline} included."),
                format!(
                    "Le délai de mise en demeure court jusqu'au {} inclus (art. 7) : la résiliation n'est possible que \
                     le lendemain.",
                    french_date(*deadline)
                ),
            ),
            Self::InspectionClosed => Text::new(
                "The inspection is closed already.",
                "Ce contrôle est déjà clos : ouvrez-en un autre s'il le faut.",
            ),
            Self::HearingRecorded => Text::new(
                "The outcome of the hearing is recorded already.",
                "L'issue de cette audition est déjà enregistrée.",
            ),
            Self::HearingMissing => Text::new(
                "The operator was not heard: name a hearing that was held, or that it refused to attend.",
                "L'opérateur n'a pas été entendu (art. 8) : indiquez une audition tenue, ou à laquelle il a refusé de se \
                 rendre.",
            ),
            Self::AlreadySuspended => Text::new(
                "Payments are suspended already.",
                "Les paiements de cette convention sont déjà suspendus.",
            ),
            Self::NotSuspended => Text::new(
                "Payments are not suspended.",
                "Les paiements de cette convention ne sont pas suspendus : il n'y a rien à reprendre.",
            ),
            Self::ReductionTooHigh(ceiling) => Text::new(
                format!("The amount is not below {ceiling}, the grant in force."),
                format!(
                    "Le montant réduit doit être inférieur à la subvention en vigueur, {}.",
                    ceiling.french()
                ),
            ),
            Self::RecoveryTooHigh(paid) => Text::new(
                format!("With what is claimed already, this is more than the {paid} paid."),
                format!(
                    "Avec les sommes déjà réclamées, ce montant dépasse ce qui a été versé, {}.",
                    paid.french()
                ),
            ),
            Self::AmicableStepRecorded => Text::new(
                "The amicable attempt is recorded already.",
                "La tentative amiable est déjà enregistrée.",
            ),
            Self::AmicableStepMissing => Text::new(
                "No court before an amicable attempt.",
                "Le tribunal n'est saisi qu'après une tentative amiable (art. 9) : enregistrez-la d'abord.",
            ),
            Self::DisputeInCourt => Text::new(
                "The court is seized already.",
                "Le tribunal est déjà saisi de ce litige.",
            ),
            Self::DisputeClosed => Text::new(
                "The dispute is closed.",
                "Ce litige est clos : ouvrez-en un autre s'il le faut.",
            ),
            Self::AttachmentWithdrawn => Text::new(
                "The attachment is withdrawn.",
                "Cette pièce est retirée : déposez-en une autre s'il le faut.",
            ),
            Self::AttachmentDamaged => Text::new(
                "The stored bytes of the attachment are not those uploaded, or are gone.",
                "Le fichier conservé est altéré ou perdu : prévenez le support, qui le rétablira d'une sauvegarde, ou \
                 déposez-le à nouveau.",
            ),
            Self::AttachmentCited => Text::new(
                "The evidence of a commitment rests on this attachment.",
                "La preuve d'un engagement repose sur cette pièce : rouvrez l'engagement, ou donnez-en une autre preuve, \
                 avant de la retirer.",
            ),
            Self::TooManyAttachments => Text::new(
                format!("The convention has {MAX_ATTACHMENTS} attachments already."),
                format!(
                    "Cette convention a déjà {MAX_ATTACHMENTS} pièces, le maximum : réunissez plusieurs documents en un \
                     seul, ou adressez-vous au programme."
                ),
            ),
            Self::AmendmentNotDraft => Text::new(
                "The amendment is past this step: it changes only while nobody has signed it.",
                "L'avenant n'en est plus là : il ne se modifie que tant que personne ne l'a signé. Abandonnez-le et \
                 rédigez-en un autre s'il le faut.",
            ),
            Self::AmendmentNotOpen => Text::new(
                "The amendment is in force or withdrawn.",
                "Cet avenant est déjà en vigueur, ou abandonné.",
            ),
            Self::AmendmentOpen => Text::new(
                "Another amendment of the convention is open.",
                "Un autre avenant de cette convention est en cours : faites-le signer, modifiez-le ou abandonnez-le.",
            ),
            Self::ActionsCompleted => Text::new(
                "The actions are done: publics, objectives, commitments and indicative end are past changing.",
                "Les actions sont achevées (art. 5) : publics, objectifs, engagements et fin indicative ne se modifient \
                 plus.",
            ),
            Self::CommitmentReleased => Text::new(
                "An amendment has released the operator of this commitment, or words it anew.",
                "Un avenant a levé cet engagement, ou l'a formulé autrement : celui-ci n'est plus dû.",
            ),
            Self::CommitmentDone => Text::new(
                "The commitment is validated already: reopen it first.",
                "Cet engagement est déjà validé : il faut le rouvrir avant de le modifier.",
            ),
            Self::CommitmentWithoutEvidence => Text::new(
                "No evidence of the commitment is given.",
                "Aucune preuve n'est donnée pour cet engagement : l'opérateur doit d'abord en fournir une.",
            ),
            Self::BudgetFixed => Text::new(
                "The planned budget is part of what was signed: it changes no more.",
                "Le budget prévisionnel fait partie de ce qui a été signé : il ne se modifie plus.",
            ),
            Self::DeviationCaseNotOpen => Text::new(
                "The convention has no deviation case open.",
                "Aucun écart budgétaire n'est en attente de décision pour cette convention.",
            ),
            Self::DocumentEngineMissing => Text::new(
                "The typesetting program nonrecours-typeset is not installed beside the service: no document is written.",
                "Le programme de mise en page nonrecours-typeset n'est pas installé auprès du service : aucun document \
                 n'est établi. Prévenez l'exploitant.",
            ),
            Self::DocumentEngineFailed => Text::new(
                "The typesetting program has failed: no document is written.",
                "La mise en page du document a échoué : aucun document n'est établi. Transmettez l'identifiant de trace \
                 au support.",
            ),
            Self::DocumentDamaged => Text::new(
                "The stored document is lost or altered since it was written.",
                "Le document conservé est perdu ou altéré depuis qu'il a été établi : faites-le restaurer depuis une \
                 sauvegarde.",
            ),
        }
    }
}
