//! Vectors of WeCom's documentation and of other implementations, and properties.

use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

/// The key and the corp of WeCom's own example.
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const TOKEN: &str = "QDG6eK";
const CORP: &str = "wx5823bf96d3bd56c7";
/// The corp of the vectors of go-workwx.
const OTHER_CORP: &str = "ww6a112864f8022910";

fn keys(token: &str, key: &str, corp_id: &str) -> CallbackKeys {
    let token = CallbackToken::parse(Secret::new(token)).unwrap();
    let key = EncodingAesKey::parse(&Secret::new(key)).unwrap();
    CallbackKeys::new(token, key, corp_id)
}

fn example() -> CallbackKeys {
    keys(TOKEN, KEY, CORP)
}

fn query(signature: &str, timestamp: &str, nonce: &str) -> CallbackQuery {
    let query = format!("msg_signature={signature}&timestamp={timestamp}&nonce={nonce}");
    CallbackQuery::parse(&query).unwrap()
}

#[test]
fn the_official_verification_is_echoed() {
    let query = CallbackQuery::parse(
        "msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&\
         echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D",
    )
    .unwrap();
    let echostr = query.echostr.clone().unwrap();
    assert!(echostr.ends_with("tp+4RPcs8TgAE7OaBO+FZXvnaqQ=="), "{echostr}");
    assert_eq!(example().verify(&query, &echostr), Ok(()));
    let message = example().decrypt(&echostr).unwrap();
    assert_eq!(CallbackMessage::echo(message).unwrap(), "1616140317555161061");
    assert_eq!(example().encrypt(*b"c41b64491c2468d0", b"1616140317555161061"), echostr);
}

const OFFICIAL_MESSAGE: &str = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==";

#[test]
fn the_official_message_is_read_and_made() {
    let query = query("477715d11cdb4164915debcba66cb864d751f3e6", "1409659813", "1372623149");
    assert_eq!(example().verify(&query, OFFICIAL_MESSAGE), Ok(()));
    let message = example().decrypt(OFFICIAL_MESSAGE).unwrap();
    let expected = "<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n\
                    <FromUserName><![CDATA[mycreate]]></FromUserName>\n\
                    <CreateTime>1409659813</CreateTime>\n\
                    <MsgType><![CDATA[text]]></MsgType>\n\
                    <Content><![CDATA[hello]]></Content>\n\
                    <MsgId>4561255354251345929</MsgId>\n\
                    <AgentID>218</AgentID>\n\
                    </xml>";
    assert_eq!(String::from_utf8(message.clone()).unwrap(), expected);
    let parsed = CallbackMessage::parse(&message).unwrap();
    assert_eq!(parsed.agent_id.map(|id| id.0), Some(218));
    assert_eq!(parsed.event, Event::Other { kind: "text".to_owned() });
    assert_eq!(example().encrypt(*b"0960688932c47ef1", &message), OFFICIAL_MESSAGE);
}

#[test]
fn a_verification_of_another_implementation_is_echoed() {
    let keys =
        keys("kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws", OTHER_CORP);
    let echostr = "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w==";
    let query = query("1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011", "1583940690", "VHh7ymSeb0jc4lSb");
    assert_eq!(keys.verify(&query, echostr), Ok(()));
    assert_eq!(keys.decrypt(echostr).unwrap(), b"94966531020182955848408");
}

#[test]
fn a_body_of_another_implementation_is_read() {
    let keys = keys("kz7Yx62CH8SaLN", "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP", OTHER_CORP);
    let body = format!(
        "<xml><ToUserName><![CDATA[{OTHER_CORP}]]></ToUserName><Encrypt><![CDATA[\
         EUCt7xMcNiyASzZj0Hjc5yDjFQrCum6AfQ3ntHiUzjGQ51xieKmbvtrZ40/EcB2W/W8yH0n4Lqx48gJl/T9HD/R309I0P/r5pIZucK3lyEn4\
         8FYMr4YdE0QdL2jIJ3xkcXUr6uzefzCxG6lMvwpAJaOyVCzN7sRRw47njfxy5EIqU6R9ZBhlTzfdnhhOhK/nTwzrZX3SoGlXFA9OBeZ6ru1N\
         WpXFk76x9DUMe0lcxPPiUqK8ctnQcYXSGUHVqC6DfG7E7mab0OmruNN8cBZY5d3dYOBA4OgaH55Q0AJmUpdT8vNiXpXx+6TxT3TIjySXpDrH\
         Vyrsb772aYywgg/Nu4kUmGkALwFZlzhjNegR7wDwb9lr4ERXsSSS8JZ8lbBmaQ3F2Tq584xoPj5rIhXAF734ynm4no1g+SdHiNqR328=\
         ]]></Encrypt><AgentID><![CDATA[1000002]]></AgentID></xml>"
    );
    let encrypted = encrypted(body.as_bytes()).unwrap();
    let query = query("f265ae551b1932727204c3d707628d01376a6940", "1583995625", "1584392382");
    assert_eq!(keys.verify(&query, &encrypted), Ok(()));
    let message = String::from_utf8(keys.decrypt(&encrypted).unwrap()).unwrap();
    assert!(message.contains("<FromUserName><![CDATA[foobar]]></FromUserName>"), "{message}");
    assert!(message.contains("<Content><![CDATA[x123]]></Content><MsgId>2018405441</MsgId>"), "{message}");
    let parsed = CallbackMessage::parse(message.as_bytes()).unwrap();
    assert_eq!(parsed.agent_id.map(|id| id.0), Some(1_000_002));
}

#[test]
fn a_padding_of_a_whole_block_is_read_and_made() {
    let encrypted = "sKqRbbiSUnDhFHOvPjtUMSs1k8K1CdhVATTBQNj5RGfr2SSogQPwiaREvDG6j+anDDTQGRPc5XVafaRf07vjdJWo03DV9aa/cArn/HDtV476heTTKpJSMh7JMO1cnA3V";
    let message = [b'x'; 26];
    assert_eq!(example().encrypt(*b"0123456789abcdef", &message), encrypted);
    assert_eq!(example().decrypt(encrypted).unwrap(), message);
    let query = query("95334a2956b2e15968405f3a7c21bfc2d944c236", "1700000000", "nonce123");
    assert_eq!(example().verify(&query, encrypted), Ok(()));
}

#[test]
fn a_changed_part_breaks_the_signature() {
    let signature = "95334a2956b2e15968405f3a7c21bfc2d944c236";
    let encrypted = example().encrypt(*b"0123456789abcdef", &[b'x'; 26]);
    let good = query(signature, "1700000000", "nonce123");
    let bad = [
        query(&signature.replace("95", "94"), "1700000000", "nonce123"),
        query(signature, "1700000001", "nonce123"),
        query(signature, "1700000000", "nonce124"),
    ];
    for bad in bad {
        assert_eq!(example().verify(&bad, &encrypted), Err(CallbackError::Signature), "{bad:?}");
    }
    assert_eq!(example().verify(&good, &encrypted.replace("sKq", "sKp")), Err(CallbackError::Signature));
    let other_token = keys("QDG6eL", KEY, CORP);
    assert_eq!(other_token.verify(&good, &encrypted), Err(CallbackError::Signature));
}

#[test]
fn a_text_for_another_corp_or_with_another_key_is_refused() {
    let encrypted = example().encrypt([7; 16], b"<xml/>");
    assert_eq!(keys(TOKEN, KEY, OTHER_CORP).decrypt(&encrypted), Err(CallbackError::ReceiveId));
    let other_key = keys(TOKEN, "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws", CORP);
    assert_eq!(other_key.decrypt(&encrypted), Err(CallbackError::Encryption));
}

#[test]
fn texts_of_a_wrong_length_or_encoding_are_refused() {
    let encrypted = example().encrypt([7; 16], b"<xml/>");
    let cut = encrypted.get(..encrypted.len() - 24).unwrap();
    for bad in ["", "=", "AAAA", "!!!!", &encrypted.replace('=', ""), cut, &format!("{encrypted}{encrypted}")]
    {
        assert_eq!(example().decrypt(bad), Err(CallbackError::Encryption), "{bad}");
    }
}

#[test]
fn tokens_and_keys_of_a_wrong_form_are_refused() {
    let token = |text: &str| CallbackToken::parse(Secret::new(text)).map(drop);
    assert_eq!(token(&"a".repeat(32)), Ok(()));
    assert_eq!(token(&"a".repeat(33)), Err(KeyProblem::Length(33)));
    assert_eq!(token(""), Err(KeyProblem::Length(0)));
    assert_eq!(token("with-dash"), Err(KeyProblem::Characters));
    let key = |text: &str| EncodingAesKey::parse(&Secret::new(text)).map(drop);
    // The last character has bits that no byte of the key has.
    assert_eq!(key(KEY), Ok(()));
    assert_eq!(key(&format!("{KEY}=")), Err(KeyProblem::Characters));
    assert_eq!(key(&"a".repeat(44)), Err(KeyProblem::Length(44)));
    assert_eq!(key(&"a".repeat(42)), Err(KeyProblem::Length(42)));
}

#[test]
fn keys_are_not_shown_by_debug() {
    let shown = format!("{:?}", example());
    assert!(!shown.contains(TOKEN) && !shown.contains("141") && !shown.contains("jWmY"), "{shown}");
}

#[test]
fn a_query_with_missing_repeated_or_malformed_parameters_is_refused() {
    let signature = "95334a2956b2e15968405f3a7c21bfc2d944c236";
    let good = format!("msg_signature={signature}&timestamp=1700000000&nonce=n");
    assert!(CallbackQuery::parse(&good).is_ok());
    assert!(CallbackQuery::parse(&format!("x=1&{good}&y")).is_ok());
    let bad = [
        String::new(),
        format!("{good}&nonce=m"),
        format!("{good}&timestamp=1700000000"),
        format!("{good}&echostr=a&echostr=b"),
        format!("msg_signature={signature}&timestamp=1700000000"),
        format!("msg_signature={signature}&timestamp=1700000000&nonce="),
        format!("msg_signature={signature}&timestamp=1700000000&nonce"),
        format!("msg_signature={signature}&timestamp=&nonce=n"),
        format!("msg_signature={signature}&timestamp=-1&nonce=n"),
        format!("msg_signature={signature}&timestamp=99999999999999999999&nonce=n"),
        format!("msg_signature={signature}0&timestamp=1700000000&nonce=n"),
        format!("msg_signature={}&timestamp=1700000000&nonce=n", "x".repeat(40)),
        format!("msg_signature={signature}&timestamp=1700000000&nonce={}", "n".repeat(129)),
        format!("{good}&echostr={}", "a".repeat(5000)),
        format!("{good}&echostr=%FF"),
    ];
    for bad in bad {
        assert_eq!(CallbackQuery::parse(&bad), Err(CallbackError::Parameters), "{bad}");
    }
}

#[test]
fn a_query_is_decoded_once() {
    let signature = "95334a2956b2e15968405f3a7c21bfc2d944c236";
    let query = format!("msg_signature={signature}&timestamp=1&nonce=%2541&echostr=a+b%2Bc");
    let query = CallbackQuery::parse(&query).unwrap();
    assert_eq!((query.nonce.as_str(), query.echostr.as_deref()), ("%41", Some("a+b+c")));
}

/// A press as WeCom sent it, with another order of elements than in the documentation.
const PRESS: &str = "<xml><ToUserName><![CDATA[ww0123456789abcdef]]></ToUserName><FromUserName><![CDATA[zhangsan]]></FromUserName>
<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[template_card_event]]></Event><CreateTime>1646539330</CreateTime>
<AgentID>1000002</AgentID><EventKey><![CDATA[button_key_1]]></EventKey><TaskId><![CDATA[task0001]]></TaskId>
<CardType><![CDATA[button_interaction]]></CardType><SelectedItems><SelectedItem><QuestionKey><![CDATA[btn_question_key1]]></QuestionKey>
<OptionIds><OptionId><![CDATA[btn_selection_id1]]></OptionId></OptionIds></SelectedItem></SelectedItems>
<ResponseCode><![CDATA[vxR7PzS5OS2axDF9MdgGaZ1atXhzsSUzfjwwwESILfY]]></ResponseCode></xml>";

fn press(message: &str) -> Result<CardPress, CallbackError> {
    match CallbackMessage::parse(message.as_bytes())?.event {
        Event::Press(press) => Ok(press),
        Event::Other { kind } => panic!("{kind}"),
    }
}

#[test]
fn a_press_is_read_in_every_spelling() {
    let expected = CardPress {
        user: "zhangsan".to_owned(),
        task_id: "task0001".to_owned(),
        button: "button_key_1".to_owned(),
        response_code: "vxR7PzS5OS2axDF9MdgGaZ1atXhzsSUzfjwwwESILfY".to_owned(),
        created_at: "2022-03-06T04:02:10Z".parse().unwrap(),
    };
    assert_eq!(press(PRESS).unwrap(), expected);
    assert_eq!(press(&PRESS.replace("Option", concat!("Opi", "ton"))).unwrap(), expected);
    assert_eq!(press(&PRESS.replace("card_event", "card_menu_event")).unwrap(), expected);
    let json = r#"{"ToUserName":"ww0123456789abcdef","FromUserName":"zhangsan","MsgType":"event","CreateTime":1646539330,
        "Event":"template_card_event","AgentID":1000002,"EventKey":"button_key_1","TaskId":"task0001","SelectedItems":{},
        "ResponseCode":"vxR7PzS5OS2axDF9MdgGaZ1atXhzsSUzfjwwwESILfY"}"#;
    assert_eq!(press(json).unwrap(), expected);
}

#[test]
fn a_press_without_what_it_needs_is_refused() {
    for name in ["FromUserName", "CreateTime", "EventKey", "TaskId", "ResponseCode"] {
        let without = PRESS.replace(&format!("<{name}>"), "<X>").replace(&format!("</{name}>"), "</X>");
        assert_eq!(press(&without), Err(CallbackError::Message), "{name}");
    }
    let twice = PRESS.replace("<TaskId>", "<TaskId>other</TaskId><TaskId>");
    assert_eq!(press(&twice), Err(CallbackError::Message));
    let long = PRESS.replace("task0001", &"t".repeat(300));
    assert_eq!(press(&long), Err(CallbackError::Message));
}

#[test]
fn other_events_are_named() {
    let kind = |message: &str| match CallbackMessage::parse(message.as_bytes()).unwrap().event {
        Event::Other { kind } => kind,
        Event::Press(press) => panic!("{press:?}"),
    };
    let enter = "<xml><MsgType>event</MsgType><Event>enter_agent</Event><EventKey></EventKey><AgentID>1</AgentID></xml>";
    assert_eq!(kind(enter), "enter_agent");
    assert_eq!(kind("<xml><MsgType><![CDATA[image]]></MsgType></xml>"), "image");
    let long = format!("<xml><MsgType>{}</MsgType></xml>", "x".repeat(1000));
    assert_eq!(kind(&long).len(), 64);
}

#[test]
fn the_encrypted_text_is_found_in_xml_and_json() {
    let found = |body: &str| encrypted(body.as_bytes());
    assert_eq!(
        found("\u{feff}<xml><Encrypt>AB==</Encrypt><ToUserName>x</ToUserName></xml>"),
        Ok("AB==".into())
    );
    assert_eq!(
        found("<?xml version=\"1.0\"?>\n<xml><Encrypt>\n<![CDATA[AB==]]>\n</Encrypt></xml>"),
        Ok("AB==".into())
    );
    assert_eq!(found(r#"{"tousername":"x","encrypt":"AB==","agentid":"1"}"#), Ok("AB==".into()));
}

#[test]
fn bodies_that_are_no_callback_are_refused() {
    let bomb = "<!DOCTYPE xml [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><xml><Encrypt>&b;</Encrypt></xml>";
    let attributes: String = (0..5000).map(|number| format!(" a{number}=\"\"")).collect();
    let bad = [
        String::new(),
        "x".to_owned(),
        "<xml>".to_owned(),
        "<xml></xml>".to_owned(),
        "<xml><Encrypt></Encrypt></xml>".to_owned(),
        "<xml><Encrypt>A</Encrypt><Encrypt>B</Encrypt></xml>".to_owned(),
        "<xml><x><Encrypt>A</Encrypt></x></xml>".to_owned(),
        bomb.to_owned(),
        "<!DOCTYPE xml SYSTEM \"file:///etc/passwd\"><xml><Encrypt>A</Encrypt></xml>".to_owned(),
        format!("<xml{attributes}><Encrypt>A</Encrypt></xml>"),
        format!("{}{}", "<x>".repeat(9000), "</x>".repeat(9000)),
        "{".to_owned(),
        "[]".to_owned(),
        "{\"encrypt\":{}}".to_owned(),
        format!("{{\"encrypt\":{}", "[".repeat(60_000)),
    ];
    for bad in bad {
        assert_eq!(encrypted(bad.as_bytes()), Err(CallbackError::Body), "{bad:.100}");
    }
    assert_eq!(encrypted(b"<xml><Encrypt>\xff</Encrypt></xml>"), Err(CallbackError::Body));
}

#[test]
fn only_a_short_text_is_echoed() {
    for good in ["1616140317555161061", "xxx", "a+/=-_"] {
        assert_eq!(CallbackMessage::echo(good.into()).unwrap(), good);
    }
    let long = "1".repeat(257);
    for bad in ["", PRESS, "{\"a\":1}", "a b", "a\n", "\u{feff}1", "é", &long] {
        assert_eq!(CallbackMessage::echo(bad.into()), Err(CallbackError::Message), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_message_is_decrypted_to_itself(random: [u8; 16], message: Vec<u8>) {
        let encrypted = example().encrypt(random, &message);
        prop_assert_eq!(example().decrypt(&encrypted), Ok(message));
    }

    #[test]
    fn no_bytes_make_a_panic(bytes: Vec<u8>, text: String) {
        _ = encrypted(&bytes);
        _ = CallbackMessage::parse(&bytes);
        _ = CallbackMessage::echo(bytes);
        _ = CallbackQuery::parse(&text);
        _ = example().decrypt(&text);
        _ = encrypted(text.as_bytes());
    }

    #[test]
    fn a_changed_ciphertext_never_makes_a_panic(message: Vec<u8>, at: prop::sample::Index, byte: u8) {
        use base64::{Engine, engine::general_purpose::STANDARD};
        let mut bytes = STANDARD.decode(example().encrypt([1; 16], &message)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= byte;
        _ = example().decrypt(&STANDARD.encode(bytes));
    }
}
