//! Tables of every type with the ends of their ranges, for both servers.

use sluice_tests::servers::Kind;
use sluice_tests::sql::Sql;

/// Tables with rows that [`write`] makes at least.
pub(super) const TABLES_MIN: usize = 8;

const NUMBERS: &str = "
CREATE TABLE t_num (id int primary key, ti tinyint, tu tinyint unsigned, si smallint, su smallint unsigned, mi mediumint,
  mu mediumint unsigned, ii int, iu int unsigned, bi bigint, bu bigint unsigned, bl bool, zf int(8) unsigned zerofill,
  fl float, fu float unsigned, fp float(10,3), db double, b1 bit(1), b8 bit(8), b17 bit(17), b64 bit(64), d10 decimal(10,0),
  d18 decimal(18,9), d65 decimal(65,30), d650 decimal(65,0), d30 decimal(30,30), du decimal(12,2) unsigned,
  dz decimal(42,2) unsigned zerofill, yr year);
INSERT INTO t_num VALUES (1,-128,0,-32768,0,-8388608,0,-2147483648,0,-9223372036854775808,0,0,0,-3.4e38,0,-1234567.125,
  -1.7976931348623157e308,0,0,0,0,-9999999999,-999999999.999999999,
  -99999999999999999999999999999999999.999999999999999999999999999999,
  -99999999999999999999999999999999999999999999999999999999999999999,-0.999999999999999999999999999999,0,0,1901);
INSERT INTO t_num VALUES (2,127,255,32767,65535,8388607,16777215,2147483647,4294967295,9223372036854775807,
  18446744073709551615,1,42,3.4e38,3.4e38,1234567.125,1.7976931348623157e308,1,255,131071,18446744073709551615,9999999999,
  999999999.999999999,99999999999999999999999999999999999.999999999999999999999999999999,
  99999999999999999999999999999999999999999999999999999999999999999,0.999999999999999999999999999999,9999999999.99,12.5,2155);
INSERT INTO t_num VALUES (3,-1,1,-1,1,-1,1,-1,1,-1,1,1,1,0.1,0.1,0.1,0.1,1,5,70000,5,-1,-0.000000001,
  -0.000000000000000000000000000001,-1,-0.000000000000000000000000000001,0.01,0.01,0);
INSERT INTO t_num (id) VALUES (4);
INSERT INTO t_num VALUES (6,7,8,9,10,11,12,13,14,15,16,0,99999999,1.17549e-38,3.14159274,-0.001,2.2250738585072014e-308,
  b'1',b'10101010',b'10000000000000001',b'1000000000000000000000000000000000000000000000000000000000000001',123,1.5,
  123456789.123456789123456789,1000000000000000000,0.5,1.10,99.9,70);
INSERT INTO t_num (id, fl, db) VALUES (7, 16777217, 9007199254740993), (8, 0.3333333333333, -0.0);
";

const TEXTS: &str = "
CREATE TABLE t_str (id int primary key, c1 char(10) character set latin1, c2 char(255) character set utf8mb4,
  c3 char(20) character set gbk, v2 varchar(255) character set utf8mb4, v4 varchar(40) character set utf16,
  v5 varchar(40) character set sjis, v6 varchar(1000) character set utf8mb3,
  vb varchar(20) character set utf8mb4 collate utf8mb4_bin, b16 binary(16), vb10 varbinary(10), tt tinytext,
  tx text character set latin1, mt mediumtext, lt longtext character set gbk, tb tinyblob, bb blob, lb longblob,
  e1 enum('a','b','c'), e3 enum('Ä','ö','日本') character set utf8mb4, s1 set('x','y','z'),
  s3 set('é','ü') character set latin1);
INSERT INTO t_str VALUES (1,'abc','日本語😀','中文','Grüße 😀','utf16 € 😀','カタカナ',REPEAT('x',900),'Bin ',x'000102ff',x'fffe00',
  'tiny','latin £ é','medium ß','长文本',x'0074696e79',x'00ff80',REPEAT(x'fe',100000),'a','日本','x,z','é,ü');
INSERT INTO t_str VALUES (2,'','','','','','','','','','','','','','','','','','c','Ä','','');
INSERT INTO t_str (id) VALUES (3);
INSERT INTO t_str (id,c1,c2,v4,v6,vb) VALUES (4,'a  ',' b ','𝄞','ü','trail  ');
SET sql_mode='';
INSERT INTO t_str (id,e1,s1) VALUES (5,'nope','nope');
SET sql_mode=DEFAULT;
CREATE TABLE t_uni (a int not null, b varchar(10) not null, v int, unique key later (b, a), unique key first_one (a));
INSERT INTO t_uni VALUES (1,'x',1), (2,'X',2), (3,'',3);
CREATE TABLE t_odd (kind enum('z','a','m') not null, id int not null, v bit(3), primary key (kind, id));
INSERT INTO t_odd VALUES ('a',1,1), ('z',1,2), ('m',7,b'111');
CREATE TABLE t_gen (id int primary key, a int, v int GENERATED ALWAYS AS (a*2) VIRTUAL, s int GENERATED ALWAYS AS (a*3) STORED,
  inv int INVISIBLE DEFAULT 7, z varchar(10), vz varchar(30) GENERATED ALWAYS AS (concat(z,'!')) VIRTUAL);
INSERT INTO t_gen (id,a,z) VALUES (1,10,'q'),(2,20,NULL),(3,NULL,'r');
INSERT INTO t_gen (id,a,z,inv) VALUES (4,40,'s',99);
CREATE TABLE `we``ird name` (id int primary key, `sel ect` int);
";

const JSON: &str = r#"
CREATE TABLE t_json (id int primary key, j json);
INSERT INTO t_json VALUES (1,'null'),(2,'true'),(3,'-1'),(4,'18446744073709551615'),(5,'1.5'),(6,'-1e-300'),(7,'1e100'),
  (8,'"日本 😀 \\" \\\\ \\n"'),(9,'[]'),(10,'{}'),(11,'{"a":1,"b":[true,false,null,{"c":"d"}],"":"empty key","é":1.25}'),
  (12,'{"z":1,"aa":2,"b":3}'),(13,'123456789012345678901234567890'),(14,'[0.1,100.0,1e22]'),(15,NULL);
CREATE TABLE t_geo (id int primary key, g geometry, p point, l linestring);
INSERT INTO t_geo VALUES (1,ST_GeomFromText('POINT(1 2)'),ST_GeomFromText('POINT(3.5 -4.25)'),
  ST_GeomFromText('LINESTRING(0 0,1 1,2 2)')), (2,ST_GeomFromText('POINT(10 20)',4326),NULL,NULL), (3,NULL,NULL,NULL);
"#;

const OF_MYSQL: &str = "
INSERT INTO t_json SELECT 200, JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST(-12345678901234567890.123456789 AS DECIMAL(40,9)),
  CAST('2024-02-29 12:34:56.987654' AS DATETIME(6)), CAST('2024-02-29' AS DATE), CAST('-12:34:56.5' AS TIME(6)), UNHEX('00ff10'));
CREATE TABLE t_vec (id int primary key, v vector(3));
INSERT INTO t_vec VALUES (1,STRING_TO_VECTOR('[1,2,3]')),(2,STRING_TO_VECTOR('[-0.5,1e10,0]')),(3,NULL);
CREATE TABLE t_fx (id int primary key, a varchar(30), KEY k ((lower(a))), b int);
INSERT INTO t_fx VALUES (1,'ABC',1),(2,'DeF',2);
SET sql_generate_invisible_primary_key=ON;
CREATE TABLE t_gipk (a int, b int);
SET sql_generate_invisible_primary_key=OFF;
INSERT INTO t_gipk VALUES (1,2),(3,4);
";

const OF_MARIADB: &str = r#"
CREATE TABLE t_vec (id int primary key, v vector(3) not null);
INSERT INTO t_vec VALUES (1,Vec_FromText('[1,2,3]')),(2,Vec_FromText('[-0.5,1e10,0]'));
CREATE TABLE t_ma (id int primary key, u uuid, i6 inet6, i4 inet4, vc varchar(1000) compressed,
  vs varchar(200) compressed character set latin1, bc blob compressed, j json);
INSERT INTO t_ma VALUES (1,'123e4567-e89b-12d3-a456-426655440000','2001:db8::ff00:42:8329','192.168.1.255',REPEAT('r',900),
  REPEAT('é',150),REPEAT(x'00',6000),'{"a": 1}');
INSERT INTO t_ma VALUES (2,'00000000-0000-0000-0000-000000000000','::','0.0.0.0','short','s','','[]');
INSERT INTO t_ma (id,i6) VALUES (4,'::ffff:10.0.0.1');
CREATE TABLE t_uuid (u uuid primary key, v int);
INSERT INTO t_uuid VALUES ('123e4567-e89b-12d3-a456-426655440000',1), ('00000000-0000-0000-0000-000000000001',2);
"#;

/// Makes the tables and their rows.
pub(super) fn write(sql: &mut Sql, kind: Kind) {
    sql.run_all(NUMBERS);
    sql.run_all(TEXTS);
    times(sql, kind);
    sql.run_all(JSON);
    sql.run_all(match kind {
        Kind::Mysql => OF_MYSQL,
        Kind::Mariadb => OF_MARIADB,
    });
}

fn times(sql: &mut Sql, kind: Kind) {
    let columns = ["time", "datetime", "timestamp"].map(|word| {
        let of = |digits: u32| format!("{word}_{digits} {word}({digits}) NULL");
        (0..=6).map(of).collect::<Vec<_>>().join(", ")
    });
    sql.run("SET sql_mode=''");
    sql.run(&format!("CREATE TABLE t_tm (id int primary key, d date, {})", columns.join(", ")));
    let mut rows = vec![
        (
            "'2024-02-29'",
            "'12:34:56.987654'",
            "'2024-02-29 12:34:56.987654'",
            "'2024-02-29 12:34:56.987654'",
        ),
        ("'0000-00-00'", "'-838:59:59'", "'0000-00-00 00:00:00'", "'0000-00-00 00:00:00'"),
        ("'9999-12-31'", "'838:59:59'", "'9999-12-31 23:59:59'", "'2038-01-19 03:14:07'"),
        (
            "'1000-01-01'",
            "'-00:00:00.000001'",
            "'1000-01-01 00:00:00.000001'",
            "'1970-01-01 00:00:01.000001'",
        ),
        (
            "'2024-00-00'",
            "'-00:00:01.500000'",
            "'2024-01-00 00:00:00'",
            "'1999-12-31 23:59:59.100000'",
        ),
        (
            "'1969-12-31'",
            "'-12:34:56.987654'",
            "'1969-12-31 23:59:59.900009'",
            "'2001-09-09 01:46:40.090000'",
        ),
        ("NULL", "NULL", "NULL", "NULL"),
        ("'0001-01-01'", "'00:00:00'", "'0001-01-01 00:00:00'", "'2016-12-31 23:59:59.999999'"),
    ];
    if kind == Kind::Mariadb {
        rows.push((
            "'2024-06-30'",
            "'1:1:1'",
            "'2024-06-30 00:00:00.1'",
            "'2106-02-07 06:28:15.25'",
        ));
    }
    for (id, (date, time, datetime, timestamp)) in rows.into_iter().enumerate() {
        let all = [time, datetime, timestamp].map(|value| [value; 7].join(","));
        sql.run(&format!("INSERT INTO t_tm VALUES ({id},{date},{})", all.join(",")));
    }
    sql.run("SET sql_mode=DEFAULT");
}
