//! A test of who is told: sent when root asks for it, and what came of it.

use std::sync::Arc;

use tpa_bus::access as wire;
use tpa_bus::error::Refusal;
use zruntime::SharedRuntime;

use crate::daemon::notify::{self, Outcome};
use crate::engine::Engine;
use crate::host::paths::Paths;

/// Sends a test to all targets at once, or to one.
pub(super) async fn test(
    engine: &Arc<Engine>,
    runtime: &SharedRuntime,
    name: &str,
) -> Result<Vec<wire::NoticeTest>, Refusal> {
    let policy = engine.policy();
    let chosen = policy.notify.iter();
    let chosen: Vec<_> = chosen
        .filter(|target| name.is_empty() || target.name == name)
        .collect();
    if chosen.is_empty() && !name.is_empty() {
        let shown = tpa_bus::text::one_line(name, 40);
        return Err(Refusal::Invalid(format!(
            "there is no target {shown}\nnext: tpactl check names them"
        )));
    }
    let begun = chosen.into_iter().map(|target| {
        let (engine, runtime_of_it, of_it) = (Arc::clone(engine), runtime.clone(), target.clone());
        let test =
            async move { notify::test(&engine, &runtime_of_it, &Paths::default(), &of_it).await };
        (target, runtime.spawn("test", test))
    });
    let begun: Vec<_> = begun.collect();
    let mut tests = Vec::new();
    for (target, test) in begun {
        let outcome = test
            .await
            .map_err(|error| Refusal::Failed(error.to_string()))?;
        let why = match outcome {
            Outcome::Told => None,
            Outcome::Failed { why, .. } | Outcome::Refused { why } => Some(why),
        };
        tests.push(wire::NoticeTest {
            target: target.name.clone(),
            kind: target.kind().to_owned(),
            reached: why.is_none(),
            why,
        });
    }
    Ok(tests)
}
