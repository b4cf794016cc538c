//! What a service stands on beside its database: the issuer of tokens, its certificate, the other services.

use std::{error::Error, sync::Arc};

use nonrecours_feed::first_after;
use nonrecours_kernel::Clock;
use nonrecours_pg::{Cursor, Db};
use nonrecours_rpc::{
    audit::Audit,
    client,
    tls::{Certificate, TlsError},
};
use time::{Duration, OffsetDateTime};
use tonic::Code;

use super::{Findings, Level, Peer, Subject, Surroundings};

/// Part of its life after which a certificate should have been renewed, and the longest notice that is given of its end.
const LAST_PART: i32 = 5;
const LONGEST_NOTICE: Duration = Duration::days(30);
/// Age of a change that waits to be followed, before it is told, and before it is a fault.
const LAG_WARNING: Duration = Duration::minutes(1);
const LAG_FAULT: Duration = Duration::minutes(15);

/// The issuer's keys can be read, and the file of the claims.
pub(super) async fn issuer(subject: &Subject<'_>, findings: &mut Findings) {
    let auth = &subject.settings.auth;
    match auth.probe().await {
        Ok(keys) => findings.well("émetteur", format!("{} a {keys} clé(s)", auth.issuer)),
        Err(error) => findings.add(
            "émetteur",
            Level::Fault,
            format!("les jetons ne peuvent être vérifiés : {}", chain(&error)),
            "Vérifiez AUTH_ISSUER, AUTH_JWKS et AUTH_CLAIMS_FILE, et que le fournisseur d'identité est \
             joignable d'ici.",
        ),
    }
}

/// The certificate of the service is good, for long enough, and the authorities that the others have signed it.
pub(super) async fn certificate(
    subject: &Subject<'_>,
    around: &Surroundings,
    findings: &mut Findings,
) {
    let tls = &subject.settings.tls;
    let now = around.clock.now();
    let usable = usable(subject, &around.clock).await;
    let read = match usable {
        Ok(()) => tls.certificate(now).await,
        Err(error) => Err(error),
    };
    match read {
        Ok(Some(certificate)) => validity(&certificate, now, findings),
        Ok(None) => findings.add(
            "certificat",
            Level::Unknown,
            "aucun : ce service parle en clair",
            "Donnez TLS_CERTIFICATE et TLS_KEY, sauf si un mandataire ou un maillage chiffre à sa place.",
        ),
        Err(error) => findings.add(
            "certificat",
            Level::Fault,
            format!("inutilisable : {}", chain(&error)),
            "Vérifiez TLS_CERTIFICATE, TLS_KEY et TLS_AUTHORITIES : fichiers PEM lisibles par ce compte, \
             certificat et clé d'une même paire.",
        ),
    }
}

async fn usable(subject: &Subject<'_>, clock: &Arc<dyn Clock>) -> Result<(), TlsError> {
    let tls = &subject.settings.tls;
    tls.server(clock, &Audit::new(Arc::clone(clock))).await?;
    tls.client(clock).await?;
    tls.peers().map(drop)
}

fn validity(certificate: &Certificate, now: OffsetDateTime, findings: &mut Findings) {
    let (from, until) = (certificate.from, certificate.until);
    let notice = ((until - from) / LAST_PART).min(LONGEST_NOTICE);
    let ends = format!("valable jusqu'au {} UTC", minute(until));
    let renew = "Renouvelez-le et posez les nouveaux fichiers à la place des anciens : le service les relit \
                 de lui-même.";
    if now < from {
        findings.add(
            "certificat",
            Level::Fault,
            format!("pas encore valable : il le sera le {} UTC", minute(from)),
            "Vérifiez l'horloge de cette machine et celle de l'autorité.",
        );
    } else if now >= until {
        findings.add(
            "certificat",
            Level::Fault,
            format!("expiré le {} UTC", minute(until)),
            renew,
        );
    } else if certificate.trusted == Some(false) {
        findings.add(
            "certificat",
            Level::Fault,
            "aucune des autorités de TLS_AUTHORITIES ne l'a signé : les autres services le refuseront",
            "Donnez à tous les services les autorités qui signent leurs certificats, avec la chaîne.",
        );
    } else if until - now <= notice {
        findings.add(
            "certificat",
            Level::Warning,
            format!("bientôt à son terme, {ends}"),
            renew,
        );
    } else {
        findings.well("certificat", ends);
    }
}

fn minute(instant: OffsetDateTime) -> String {
    let instant = instant.to_offset(time::UtcOffset::UTC);
    format!(
        "{} {:02}:{:02}",
        instant.date(),
        instant.hour(),
        instant.minute()
    )
}

/// Each other service answers, knows who asks, and what is followed is not far behind.
pub(super) async fn peers(
    subject: &Subject<'_>,
    around: &Surroundings,
    db: Option<&Db>,
    findings: &mut Findings,
) {
    // What is wrong with the certificate has been told.
    let Ok(tls) = subject.settings.tls.client(&around.clock).await else {
        return;
    };
    for peer in &subject.peers {
        let token = subject.settings.peer_token.clone().source();
        let channel = match client::connect(peer.url, token, tls.clone()) {
            Ok(channel) => channel,
            Err(error) => {
                findings.add(
                    "pairs",
                    Level::Fault,
                    format!("{} : {}", peer.service, chain(&error)),
                    "Donnez une adresse comme https://service:50051.",
                );
                continue;
            }
        };
        let cursor = match db {
            Some(db) if peer.followed => db.feed_cursor(peer.service).await.unwrap_or_default(),
            _ => Cursor::default(),
        };
        match first_after(channel, cursor).await {
            Ok(waiting) => {
                findings.well("pairs", format!("{} répond et nous connaît", peer.service));
                if peer.followed && db.is_some() {
                    lag(peer, waiting, around.clock.now(), findings);
                }
            }
            Err(status) => unanswered(peer, status.code(), status.message(), findings),
        }
    }
}

fn unanswered(peer: &Peer<'_>, code: Code, message: &str, findings: &mut Findings) {
    let (says, advice) = match code {
        Code::Unauthenticated | Code::PermissionDenied => (
            "ne nous reconnaît pas comme un service de la suite",
            "Vérifiez que son TLS_PEERS nomme un nom de notre certificat ; sans TLS_PEERS, que \
             PEER_TOKEN_FILE porte un jeton valide du rôle peer_service.",
        ),
        _ => (
            "ne répond pas",
            "Vérifiez qu'il est démarré, que son adresse est la bonne, que TLS_AUTHORITIES a signé son \
             certificat, et qu'aucun pare-feu ne s'interpose.",
        ),
    };
    findings.add(
        "pairs",
        Level::Fault,
        format!("{} ({}) {says} : {message}", peer.service, peer.url),
        advice,
    );
}

fn lag(
    peer: &Peer<'_>,
    waiting: Option<OffsetDateTime>,
    now: OffsetDateTime,
    findings: &mut Findings,
) {
    let name = peer.service;
    let Some(made) = waiting else {
        return findings.well("flux", format!("tout ce que dit {name} est pris en compte"));
    };
    let age = now - made;
    let says = format!(
        "un changement de {name} attend depuis {} s",
        age.whole_seconds()
    );
    let level = match age {
        age if age >= LAG_FAULT => Level::Fault,
        age if age >= LAG_WARNING => Level::Warning,
        _ => return findings.well("flux", says),
    };
    findings.add(
        "flux",
        level,
        says,
        "Regardez dans le journal de ce service pourquoi il n'avance pas (« following a feed failed ») ; \
         arrêté, il rattrapera de lui-même.",
    );
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text} : {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn told(certificate: Certificate) -> (Level, String) {
        let mut findings = Findings::of("payments");
        validity(&certificate, datetime!(2026-03-01 12:00 UTC), &mut findings);
        let found = findings.into_inner().remove(0);
        (found.level, found.says)
    }

    fn between(from: OffsetDateTime, until: OffsetDateTime) -> Certificate {
        Certificate {
            from,
            until,
            trusted: Some(true),
        }
    }

    #[test]
    fn the_end_of_a_certificate_is_told_in_its_last_fifth_or_month() {
        let now = datetime!(2026-03-01 12:00 UTC);
        let (hour, day) = (Duration::hours(1), Duration::days(1));
        let level = |from, until| told(between(from, until)).0;
        assert_eq!(
            level(now - hour * 3, now + hour),
            Level::Well,
            "a quarter is left"
        );
        assert_eq!(level(now - hour * 4, now + hour), Level::Warning);
        assert_eq!(level(now - day * 300, now + day * 65), Level::Well);
        assert_eq!(level(now - day * 336, now + day * 29), Level::Warning);
        assert_eq!(level(now - day, now), Level::Fault);
        assert_eq!(level(now + hour, now + day), Level::Fault);
        let stranger = Certificate {
            trusted: Some(false),
            ..between(now - day, now + day * 90)
        };
        let (level, says) = told(stranger);
        assert_eq!(level, Level::Fault);
        assert!(says.contains("autorités"), "{says}");
    }

    #[test]
    fn a_feed_that_waits_is_told_by_its_age() {
        let now = datetime!(2026-03-01 12:00 UTC);
        let peer = Peer {
            service: "conventions",
            url: "https://conventions:50051",
            followed: true,
        };
        for (waiting, level) in [
            (None, Level::Well),
            (Some(now - Duration::seconds(59)), Level::Well),
            (Some(now - Duration::minutes(1)), Level::Warning),
            (Some(now - Duration::minutes(15)), Level::Fault),
        ] {
            let mut findings = Findings::of("payments");
            lag(&peer, waiting, now, &mut findings);
            assert_eq!(findings.into_inner()[0].level, level);
        }
    }
}
