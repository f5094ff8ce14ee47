//! The pictures of the documentation. `UPDATE_IMAGES=1` writes them to `docs/images`.

use std::{env, fs, path::Path};

use wecom_relay::{
    outbox::State,
    sandbox::{Api, Fault},
};

use super::{LAPTOP, Look, PHONE, desk::Desk};
use crate::support::{Options, payload};

/// Takes the picture of the present page, and writes it or requires that there is one.
async fn take(desk: &Desk, name: &str) {
    let picture = desk.browser.picture().await;
    assert!(picture.starts_with(b"\x89PNG"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images").join(name);
    if env::var_os("UPDATE_IMAGES").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, picture).unwrap();
    } else {
        assert!(file.is_file(), "docs/images/{name} is missing: run the test with UPDATE_IMAGES=1");
    }
}

#[tokio::test]
async fn the_documentation_has_pictures_of_the_pages() {
    let look = Look { size: LAPTOP, ..Look::default() };
    let Some(desk) = Desk::open(Options::default(), &look).await else { return };
    desk.alert("InstanceDown", State::Delivered).await;
    let delivered = desk.alert("HostOutOfMemory", State::Delivered).await;
    desk.wecom.sandbox.inject(Fault::errcode(81013).on(Api::MessageSend).times(1));
    desk.alert("PodCrash", State::Dead).await;
    desk.wecom.sandbox.inject(Fault::errcode(60020).on(Api::MessageSend));
    desk.relay.post(&payload("KafkaLag", &[("mq-3", true)])).await;
    desk.goto("").await;
    desk.browser.see("#cards", "60020").await;
    take(&desk, "overview.png").await;
    desk.goto(&format!("messages/{delivered}")).await;
    desk.browser.see("main", "HostOutOfMemory").await;
    take(&desk, "message.png").await;
    desk.browser.resize(PHONE).await;
    desk.browser.goto(&format!("{}/?member=zhangsan", desk.wecom.url)).await;
    desk.browser.see("main", "HostOutOfMemory").await;
    take(&desk, "phone.png").await;
    desk.browser.set_language("zh-CN,zh").await;
    desk.goto("").await;
    desk.browser.see("#cards", "60020").await;
    take(&desk, "overview.zh-CN.png").await;
    desk.finish().await;
}
