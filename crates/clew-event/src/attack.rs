//! ATT&CK: names of the techniques that rules carry, and the order of tactics.
//!
//! Enterprise ATT&CK, version 17 (April 2025). A technique that is not listed keeps its id and
//! has no tactic; nothing fails on it. Of several tactics that a technique serves, the one is
//! given that rules on running workloads usually mean.
//!
//! Version 19 (April 2026) gave new ids to what impairs defenses, and parted the tactic Defense
//! Evasion in two. Rules in the wild carry either; [`listed_id`] reads the new ids as those of
//! version 17, which are the ones listed here.

/// Version of ATT&CK that the names are from.
pub const VERSION: &str = "17";

/// Why an adversary does something; in the order of the ATT&CK matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tactic {
    /// Gathering information to plan with.
    Reconnaissance,
    /// Getting what the attack needs.
    ResourceDevelopment,
    /// Getting in.
    InitialAccess,
    /// Running code.
    Execution,
    /// Staying.
    Persistence,
    /// Getting more rights.
    PrivilegeEscalation,
    /// Not being seen.
    DefenseEvasion,
    /// Stealing names and passwords.
    CredentialAccess,
    /// Finding out about the surroundings.
    Discovery,
    /// Going on to other systems.
    LateralMovement,
    /// Gathering what is of interest.
    Collection,
    /// Talking with what was taken over.
    CommandAndControl,
    /// Carrying data away.
    Exfiltration,
    /// Breaking, encrypting or misusing.
    Impact,
}

impl Tactic {
    /// Its name in ATT&CK.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reconnaissance => "Reconnaissance",
            Self::ResourceDevelopment => "Resource Development",
            Self::InitialAccess => "Initial Access",
            Self::Execution => "Execution",
            Self::Persistence => "Persistence",
            Self::PrivilegeEscalation => "Privilege Escalation",
            Self::DefenseEvasion => "Defense Evasion",
            Self::CredentialAccess => "Credential Access",
            Self::Discovery => "Discovery",
            Self::LateralMovement => "Lateral Movement",
            Self::Collection => "Collection",
            Self::CommandAndControl => "Command and Control",
            Self::Exfiltration => "Exfiltration",
            Self::Impact => "Impact",
        }
    }

    /// Its id in ATT&CK.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Reconnaissance => "TA0043",
            Self::ResourceDevelopment => "TA0042",
            Self::InitialAccess => "TA0001",
            Self::Execution => "TA0002",
            Self::Persistence => "TA0003",
            Self::PrivilegeEscalation => "TA0004",
            Self::DefenseEvasion => "TA0005",
            Self::CredentialAccess => "TA0006",
            Self::Discovery => "TA0007",
            Self::LateralMovement => "TA0008",
            Self::Collection => "TA0009",
            Self::CommandAndControl => "TA0011",
            Self::Exfiltration => "TA0010",
            Self::Impact => "TA0040",
        }
    }
}

/// One technique or sub-technique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// Its id: `T1059.004`.
    pub id: &'static str,
    /// Its name; of a sub-technique only its own.
    pub name: &'static str,
    /// What it is for.
    pub tactic: Tactic,
}

/// The technique of that id, where it is listed; of a sub-technique that is not, its parent.
#[must_use]
pub fn technique(id: &str) -> Option<&'static Technique> {
    let find = |id: &str| {
        let index = TECHNIQUES.binary_search_by(|technique| technique.id.cmp(id)).ok()?;
        TECHNIQUES.get(index)
    };
    let id = listed_id(id);
    find(id).or_else(|| find(id.split_once('.')?.0))
}

/// The id by which version 17 knows a technique that version 19 renamed; any other as it is.
#[must_use]
pub fn listed_id(id: &str) -> &str {
    RENAMED.iter().find(|(new, _)| *new == id).map_or(id, |(_, old)| old)
}

/// Ids of version 19 and those that they took the place of, as the `revoked-by` relations of
/// ATT&CK's own data tie them. T1685 stands for T1562 and T1562.006 too; its name is that of the
/// former T1562.001.
static RENAMED: &[(&str, &str)] = &[
    ("T1684.001", "T1656"),
    ("T1684.002", "T1672"),
    ("T1685", "T1562.001"),
    ("T1685.001", "T1562.002"),
    ("T1685.002", "T1562.008"),
    ("T1685.003", "T1562.011"),
    ("T1685.004", "T1562.012"),
    ("T1685.005", "T1070.001"),
    ("T1685.006", "T1070.002"),
    ("T1686", "T1562.004"),
    ("T1686.001", "T1562.007"),
    ("T1686.002", "T1562.013"),
    ("T1688", "T1562.009"),
    ("T1689", "T1562.010"),
    ("T1690", "T1562.003"),
];

const fn t(id: &'static str, name: &'static str, tactic: Tactic) -> Technique {
    Technique { id, name, tactic }
}

/// In ascending order of ids, for binary search.
#[rustfmt::skip]
static TECHNIQUES: &[Technique] = &[
    t("T1003", "OS Credential Dumping", Tactic::CredentialAccess),
    t("T1003.007", "Proc Filesystem", Tactic::CredentialAccess),
    t("T1003.008", "/etc/passwd and /etc/shadow", Tactic::CredentialAccess),
    t("T1005", "Data from Local System", Tactic::Collection),
    t("T1014", "Rootkit", Tactic::DefenseEvasion),
    t("T1016", "System Network Configuration Discovery", Tactic::Discovery),
    t("T1018", "Remote System Discovery", Tactic::Discovery),
    t("T1020", "Automated Exfiltration", Tactic::Exfiltration),
    t("T1021", "Remote Services", Tactic::LateralMovement),
    t("T1021.004", "SSH", Tactic::LateralMovement),
    t("T1021.007", "Cloud Services", Tactic::LateralMovement),
    t("T1027", "Obfuscated Files or Information", Tactic::DefenseEvasion),
    t("T1033", "System Owner/User Discovery", Tactic::Discovery),
    t("T1036", "Masquerading", Tactic::DefenseEvasion),
    t("T1036.005", "Match Legitimate Resource Name or Location", Tactic::DefenseEvasion),
    t("T1037", "Boot or Logon Initialization Scripts", Tactic::Persistence),
    t("T1040", "Network Sniffing", Tactic::CredentialAccess),
    t("T1041", "Exfiltration Over C2 Channel", Tactic::Exfiltration),
    t("T1046", "Network Service Discovery", Tactic::Discovery),
    t("T1048", "Exfiltration Over Alternative Protocol", Tactic::Exfiltration),
    t("T1049", "System Network Connections Discovery", Tactic::Discovery),
    t("T1053", "Scheduled Task/Job", Tactic::Persistence),
    t("T1053.003", "Cron", Tactic::Persistence),
    t("T1053.007", "Container Orchestration Job", Tactic::Persistence),
    t("T1055", "Process Injection", Tactic::PrivilegeEscalation),
    t("T1055.008", "Ptrace System Calls", Tactic::PrivilegeEscalation),
    t("T1057", "Process Discovery", Tactic::Discovery),
    t("T1059", "Command and Scripting Interpreter", Tactic::Execution),
    t("T1059.004", "Unix Shell", Tactic::Execution),
    t("T1059.006", "Python", Tactic::Execution),
    t("T1068", "Exploitation for Privilege Escalation", Tactic::PrivilegeEscalation),
    t("T1069", "Permission Groups Discovery", Tactic::Discovery),
    t("T1069.003", "Cloud Groups", Tactic::Discovery),
    t("T1070", "Indicator Removal", Tactic::DefenseEvasion),
    t("T1070.001", "Clear Windows Event Logs", Tactic::DefenseEvasion),
    t("T1070.002", "Clear Linux or Mac System Logs", Tactic::DefenseEvasion),
    t("T1070.003", "Clear Command History", Tactic::DefenseEvasion),
    t("T1070.004", "File Deletion", Tactic::DefenseEvasion),
    t("T1071", "Application Layer Protocol", Tactic::CommandAndControl),
    t("T1071.001", "Web Protocols", Tactic::CommandAndControl),
    t("T1071.004", "DNS", Tactic::CommandAndControl),
    t("T1072", "Software Deployment Tools", Tactic::Execution),
    t("T1078", "Valid Accounts", Tactic::InitialAccess),
    t("T1078.004", "Cloud Accounts", Tactic::InitialAccess),
    t("T1082", "System Information Discovery", Tactic::Discovery),
    t("T1083", "File and Directory Discovery", Tactic::Discovery),
    t("T1087", "Account Discovery", Tactic::Discovery),
    t("T1087.001", "Local Account", Tactic::Discovery),
    t("T1087.004", "Cloud Account", Tactic::Discovery),
    t("T1090", "Proxy", Tactic::CommandAndControl),
    t("T1095", "Non-Application Layer Protocol", Tactic::CommandAndControl),
    t("T1098", "Account Manipulation", Tactic::Persistence),
    t("T1098.001", "Additional Cloud Credentials", Tactic::Persistence),
    t("T1098.003", "Additional Cloud Roles", Tactic::Persistence),
    t("T1098.004", "SSH Authorized Keys", Tactic::Persistence),
    t("T1098.006", "Additional Container Cluster Roles", Tactic::Persistence),
    t("T1105", "Ingress Tool Transfer", Tactic::CommandAndControl),
    t("T1110", "Brute Force", Tactic::CredentialAccess),
    t("T1132", "Data Encoding", Tactic::CommandAndControl),
    t("T1133", "External Remote Services", Tactic::Persistence),
    t("T1136", "Create Account", Tactic::Persistence),
    t("T1136.001", "Local Account", Tactic::Persistence),
    t("T1136.003", "Cloud Account", Tactic::Persistence),
    t("T1140", "Deobfuscate/Decode Files or Information", Tactic::DefenseEvasion),
    t("T1190", "Exploit Public-Facing Application", Tactic::InitialAccess),
    t("T1195", "Supply Chain Compromise", Tactic::InitialAccess),
    t("T1195.002", "Compromise Software Supply Chain", Tactic::InitialAccess),
    t("T1204", "User Execution", Tactic::Execution),
    t("T1204.003", "Malicious Image", Tactic::Execution),
    t("T1205", "Traffic Signaling", Tactic::CommandAndControl),
    t("T1205.001", "Port Knocking", Tactic::CommandAndControl),
    t("T1222", "File and Directory Permissions Modification", Tactic::DefenseEvasion),
    t("T1222.002", "Linux and Mac File and Directory Permissions Modification",
        Tactic::DefenseEvasion),
    t("T1484", "Domain or Tenant Policy Modification", Tactic::PrivilegeEscalation),
    t("T1484.002", "Trust Modification", Tactic::PrivilegeEscalation),
    t("T1485", "Data Destruction", Tactic::Impact),
    t("T1485.001", "Lifecycle-Triggered Deletion", Tactic::Impact),
    t("T1486", "Data Encrypted for Impact", Tactic::Impact),
    t("T1489", "Service Stop", Tactic::Impact),
    t("T1490", "Inhibit System Recovery", Tactic::Impact),
    t("T1496", "Resource Hijacking", Tactic::Impact),
    t("T1496.001", "Compute Hijacking", Tactic::Impact),
    t("T1496.002", "Bandwidth Hijacking", Tactic::Impact),
    t("T1496.003", "SMS Pumping", Tactic::Impact),
    t("T1496.004", "Cloud Service Hijacking", Tactic::Impact),
    t("T1505", "Server Software Component", Tactic::Persistence),
    t("T1505.003", "Web Shell", Tactic::Persistence),
    t("T1518", "Software Discovery", Tactic::Discovery),
    t("T1525", "Implant Internal Image", Tactic::Persistence),
    t("T1526", "Cloud Service Discovery", Tactic::Discovery),
    t("T1528", "Steal Application Access Token", Tactic::CredentialAccess),
    t("T1530", "Data from Cloud Storage", Tactic::Collection),
    t("T1531", "Account Access Removal", Tactic::Impact),
    t("T1535", "Unused/Unsupported Cloud Regions", Tactic::DefenseEvasion),
    t("T1537", "Transfer Data to Cloud Account", Tactic::Exfiltration),
    t("T1538", "Cloud Service Dashboard", Tactic::Discovery),
    t("T1543", "Create or Modify System Process", Tactic::Persistence),
    t("T1543.002", "Systemd Service", Tactic::Persistence),
    t("T1546", "Event Triggered Execution", Tactic::Persistence),
    t("T1546.004", "Unix Shell Configuration Modification", Tactic::Persistence),
    t("T1547", "Boot or Logon Autostart Execution", Tactic::Persistence),
    t("T1547.006", "Kernel Modules and Extensions", Tactic::Persistence),
    t("T1548", "Abuse Elevation Control Mechanism", Tactic::PrivilegeEscalation),
    t("T1548.001", "Setuid and Setgid", Tactic::PrivilegeEscalation),
    t("T1548.003", "Sudo and Sudo Caching", Tactic::PrivilegeEscalation),
    t("T1550", "Use Alternate Authentication Material", Tactic::LateralMovement),
    t("T1550.001", "Application Access Token", Tactic::LateralMovement),
    t("T1552", "Unsecured Credentials", Tactic::CredentialAccess),
    t("T1552.001", "Credentials In Files", Tactic::CredentialAccess),
    t("T1552.004", "Private Keys", Tactic::CredentialAccess),
    t("T1552.005", "Cloud Instance Metadata API", Tactic::CredentialAccess),
    t("T1552.007", "Container API", Tactic::CredentialAccess),
    t("T1555", "Credentials from Password Stores", Tactic::CredentialAccess),
    t("T1555.006", "Cloud Secrets Management Stores", Tactic::CredentialAccess),
    t("T1556", "Modify Authentication Process", Tactic::Persistence),
    t("T1556.006", "Multi-Factor Authentication", Tactic::Persistence),
    t("T1556.009", "Conditional Access Policies", Tactic::Persistence),
    t("T1557", "Adversary-in-the-Middle", Tactic::CredentialAccess),
    t("T1557.002", "ARP Cache Poisoning", Tactic::CredentialAccess),
    t("T1560", "Archive Collected Data", Tactic::Collection),
    t("T1561", "Disk Wipe", Tactic::Impact),
    t("T1562", "Impair Defenses", Tactic::DefenseEvasion),
    t("T1562.001", "Disable or Modify Tools", Tactic::DefenseEvasion),
    t("T1562.002", "Disable Windows Event Logging", Tactic::DefenseEvasion),
    t("T1562.003", "Impair Command History Logging", Tactic::DefenseEvasion),
    t("T1562.004", "Disable or Modify System Firewall", Tactic::DefenseEvasion),
    t("T1562.006", "Indicator Blocking", Tactic::DefenseEvasion),
    t("T1562.007", "Disable or Modify Cloud Firewall", Tactic::DefenseEvasion),
    t("T1562.008", "Disable or Modify Cloud Logs", Tactic::DefenseEvasion),
    t("T1562.012", "Disable or Modify Linux Audit System", Tactic::DefenseEvasion),
    t("T1564", "Hide Artifacts", Tactic::DefenseEvasion),
    t("T1564.001", "Hidden Files and Directories", Tactic::DefenseEvasion),
    t("T1565", "Data Manipulation", Tactic::Impact),
    t("T1567", "Exfiltration Over Web Service", Tactic::Exfiltration),
    t("T1570", "Lateral Tool Transfer", Tactic::LateralMovement),
    t("T1571", "Non-Standard Port", Tactic::CommandAndControl),
    t("T1572", "Protocol Tunneling", Tactic::CommandAndControl),
    t("T1574", "Hijack Execution Flow", Tactic::Persistence),
    t("T1574.006", "Dynamic Linker Hijacking", Tactic::Persistence),
    t("T1578", "Modify Cloud Compute Infrastructure", Tactic::DefenseEvasion),
    t("T1578.001", "Create Snapshot", Tactic::DefenseEvasion),
    t("T1578.002", "Create Cloud Instance", Tactic::DefenseEvasion),
    t("T1578.003", "Delete Cloud Instance", Tactic::DefenseEvasion),
    t("T1578.005", "Modify Cloud Compute Configurations", Tactic::DefenseEvasion),
    t("T1580", "Cloud Infrastructure Discovery", Tactic::Discovery),
    t("T1606", "Forge Web Credentials", Tactic::CredentialAccess),
    t("T1606.002", "SAML Tokens", Tactic::CredentialAccess),
    t("T1609", "Container Administration Command", Tactic::Execution),
    t("T1610", "Deploy Container", Tactic::Execution),
    t("T1611", "Escape to Host", Tactic::PrivilegeEscalation),
    t("T1613", "Container and Resource Discovery", Tactic::Discovery),
    t("T1619", "Cloud Storage Object Discovery", Tactic::Discovery),
    t("T1620", "Reflective Code Loading", Tactic::DefenseEvasion),
    t("T1621", "Multi-Factor Authentication Request Generation", Tactic::CredentialAccess),
    t("T1622", "Debugger Evasion", Tactic::DefenseEvasion),
    t("T1648", "Serverless Execution", Tactic::Execution),
    t("T1651", "Cloud Administration Command", Tactic::Execution),
    t("T1666", "Modify Cloud Resource Hierarchy", Tactic::DefenseEvasion),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_ascending_order_and_names_nothing_twice() {
        for pair in TECHNIQUES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
        }
    }

    #[test]
    fn a_sub_technique_that_is_not_listed_has_its_parents_name() {
        let check = |id, name| assert_eq!(technique(id).map(|found| found.name), name, "{id}");
        check("T1059.004", Some("Unix Shell"));
        check("T1059.999", Some("Command and Scripting Interpreter"));
        check("T9999", None);
        check("", None);
    }

    #[test]
    fn an_id_of_version_19_is_read_as_the_one_it_took_the_place_of() {
        for (new, old) in RENAMED {
            assert_eq!(listed_id(new), *old);
            assert_eq!(listed_id(old), *old, "an old id is nobody's new one");
        }
        let name = |id| technique(id).map(|found| found.name);
        assert_eq!(name("T1685.002"), Some("Disable or Modify Cloud Logs"));
        assert_eq!(name("T1685.002"), name("T1562.008"));
        assert_eq!(listed_id("T1059"), "T1059");
    }
}
