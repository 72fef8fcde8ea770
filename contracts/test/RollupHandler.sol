// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountLeaf, AccountState} from "../src/interfaces/IRollup.sol";
import {QueueItem} from "../src/interfaces/IRollupQueue.sol";
import {SequencerSeat} from "../src/interfaces/ISequencers.sol";
import {RollupBook} from "./RollupBook.sol";
import {RollupDeployment, origin} from "./RollupDeployment.sol";
import {vm} from "./Vm.sol";

/// @notice Plays members that open accounts, queue, sign and leave, sequencers that work, sleep and cheat, and anybody who freezes; beside
/// it the plain ledger and queue, kept here. The verifier takes what the ledger says, so what the contract adds is what is tried.
contract RollupHandler is RollupDeployment, RollupBook {
    /// @dev An item as it was queued.
    struct Waiting {
        bytes entries;
        address payer;
        uint256 amount;
        uint256 since;
    }

    /// @notice What went wrong; empty while the contracts keep their word.
    string public broken;
    /// @notice How often each kind of event came about.
    uint256 public settled;
    uint256 public forced;
    uint256 public withdrawn;
    uint256 public claimed;
    uint256 public frozen;
    uint256 public escaped;
    uint256 public refunded;
    uint256 public blamed;

    /// @notice Bonds that the contract holds by this ledger.
    uint256 public bonds;
    uint256[BOOKED] internal owed;
    bool[BOOKED] internal gone;
    Waiting[] internal line;
    uint256 internal head;
    bytes32 internal lastRoot;

    function setUp() public virtual override {
        if (address(rollup) != address(0)) return;
        super.setUp();
        lastRoot = rollup.root();
        for (uint256 i = 0; i < 3; ++i) {
            registerAs(4 + i);
            openAs(i);
        }
        skip(TURN);
    }

    // ------------------------------------------------------------------ members

    function passBlocks(uint8 blocks_) external {
        skip(blocks_ % 8);
    }

    function openAs(uint256 who) public {
        uint256 index = rollup.opened();
        vm.prank(pick(who));
        try rollup.open(KEY) {
            queue(pick(who), entry(REKEY, 0, index, KEY), 0);
        } catch {
            note(frozen == 1 || accountOf(pick(who)) < BOOKED, "refused an account");
        }
    }

    function depositAs(uint256 who, uint256 index, uint32 amount) public {
        (amount, index) = (amount % 100_000, index % BOOKED);
        vm.prank(pick(who));
        try rollup.deposit(index, amount) {
            note(index < rollup.opened() && amount != 0, "a deposit of or for nothing");
            queue(pick(who), entry(DEPOSIT, 0, index, amountOf(amount)), amount);
        } catch {}
    }

    function rekeyAs(uint256 who, uint32 key) external {
        vm.prank(pick(who));
        try rollup.rekey(key) {
            queue(pick(who), entry(REKEY, 0, accountOf(pick(who)), key), 0);
        } catch {}
    }

    function exitAs(uint256 who) public {
        vm.prank(pick(who));
        try rollup.exitAccount() {
            queue(pick(who), entry(EXIT, 0, accountOf(pick(who)), 0), 0);
        } catch {}
    }

    function pushAs(uint256 seed, uint8 count) public {
        (bytes memory run, uint256 sum) = ("", 0);
        for (uint256 i = 0; i <= count % 4; ++i) {
            uint32 amount = uint32(seed >> (16 * i)) % 5000;
            bool pays = (seed >> (i + 64)) & 1 != 0;
            uint256 to = (seed >> (3 * i + 80)) % BOOKED;
            if (to >= rollup.opened()) continue;
            run = bytes.concat(
                run, pays ? entry(DEPOSIT, 0, to, amountOf(amount)) : entry(EVIDENCE, 0, to, two(amount, 7))
            );
            if (pays) sum += amount;
        }
        try rollup.push(run) {
            queue(address(this), run, sum);
        } catch {
            note(frozen == 1 || run.length == 0, "refused a run");
        }
    }

    function claimAs(uint256 who) external {
        uint256 index = accountOf(pick(who));
        uint256 before = coin.balanceOf(pick(who));
        vm.prank(pick(who));
        try rollup.claim() {
            note(coin.balanceOf(pick(who)) == before + owed[index] * UNIT, "paid something else");
            note(owed[index] != 0, "paid what was not owed");
            owed[index] = 0;
            ++claimed;
        } catch {}
    }

    // ------------------------------------------------------------------ sequencers

    function registerAs(uint256 who) public {
        vm.prank(pick(who));
        try rollup.register() {
            bonds += BOND;
        } catch {}
    }

    function resignAs(uint256 who) external {
        vm.prank(pick(who));
        try rollup.resign(pick(who)) {} catch {}
    }

    function payBondAs(uint256 who) external {
        address to = who % 9 == 8 ? address(rewards) : pick(who);
        uint256 before = coin.balanceOf(to);
        bool late = head < line.length && vm.getBlockNumber() > line[head].since + FORCE;
        uint256 others = rollup.bondsOwedTo(to);
        try rollup.payBond(to) {
            uint256 paid = coin.balanceOf(to) - before;
            bonds -= paid;
            note(paid == others || paid == others + BOND, "another bond");
            note(paid == others || frozen == 1 || !late, "a bond went while an item was overdue");
        } catch {}
    }

    /// @param items Of the queue that the batch takes, as far as there are any.
    /// @param seed Who signs what.
    function settleAs(uint256 who, uint8 items, uint256 seed) public {
        AccountLeaf[BOOKED] memory before = book;
        uint256[BOOKED] memory releases;
        uint256 end = head + items % 12;
        if (end > line.length) end = line.length;
        bool[BOOKED] memory touched;
        bool[BOOKED] memory busy;
        bytes memory batch = takeItems(end, releases, touched, busy);
        for (uint256 i = 0; i < BOOKED; ++i) {
            if (book[i].nonce == 0 || busy[i] || (seed >> i) & 1 == 0) continue;
            batch = bytes.concat(
                batch,
                signed(
                    i, [before[i].balance, before[i].stake], uint256(keccak256(abi.encode(seed, i))), releases, touched
                )
            );
        }
        for (uint256 i = 0; i < BOOKED; ++i) {
            if (touched[i]) batch = bytes.concat(batch, entry(CLOSE, i, 0, closingOf(i)));
        }
        bytes32 newRoot = bookRoot();
        bool may = frozen == 0 && batch.length != 0 && mayComeNow(pick(who));
        try this.submitFrom(pick(who), batch, newRoot) {
            note(may, "a batch out of turn");
            ++settled;
            (head, lastRoot) = (end, newRoot);
            for (uint256 i = 0; i < BOOKED; ++i) {
                owed[i] += releases[i];
                if (releases[i] != 0) ++withdrawn;
            }
        } catch {
            note(!may, "a batch refused");
            for (uint256 i = 0; i < BOOKED; ++i) {
                book[i] = before[i];
            }
        }
    }

    /// @dev A batch that passes over the first item, or takes it twice: never, whoever proves it.
    function cheatAs(uint256 who, bool twice) external {
        if (head == line.length) return;
        bytes memory batch = twice ? bytes.concat(line[head].entries, line[head].entries) : bytes("");
        for (uint256 i = head + 1; i < line.length && batch.length == 0; ++i) {
            if (keccak256(line[i].entries) != keccak256(line[head].entries)) batch = line[i].entries;
        }
        bool again =
            twice && head + 1 < line.length && keccak256(line[head + 1].entries) == keccak256(line[head].entries);
        if (batch.length == 0 || again) return;
        try this.submitFrom(pick(who), batch, lastRoot) {
            note(false, "passed over the queue");
        } catch {}
    }

    // ------------------------------------------------------------------ the end

    function freezeAs(uint256 who) public {
        bool late = frozen == 0 && head < line.length && vm.getBlockNumber() > line[head].since + FORCE;
        vm.prank(pick(who));
        try rollup.freeze() {
            note(late, "frozen for nothing");
            frozen = 1;
            if (rollup.bondsOwedTo(pick(who)) != 0) ++blamed;
        } catch {
            note(!late, "an overdue item, and not frozen");
        }
    }

    function escapeAs(uint256 index, bool wrongly) external {
        index %= BOOKED;
        AccountLeaf memory leaf = book[index];
        if (wrongly) leaf.balance += 1;
        try rollup.escape(index, leaf, siblingsOf(index)) {
            note(frozen == 1 && !gone[index] && !wrongly, "an escape of something else");
            gone[index] = true;
            owed[index] += leaf.balance + leaf.stake;
            ++escaped;
        } catch {
            note(frozen == 0 || gone[index] || wrongly || index >= rollup.opened(), "an escape refused");
        }
    }

    function refundAs(uint256 number) external {
        number %= line.length + 2;
        uint256 place = number == 0 ? line.length : number - 1;
        uint256 amount = place < line.length ? line[place].amount : 0;
        bool may = frozen == 1 && place >= head && amount != 0;
        uint256 before = may ? coin.balanceOf(line[place].payer) : 0;
        try rollup.refund(number) {
            note(may && coin.balanceOf(line[place].payer) == before + amount * UNIT, "refunded something else");
            line[place].amount = 0;
            ++refunded;
        } catch {
            note(!may, "a refund refused");
        }
    }

    // ------------------------------------------------------------------ what batches are made of

    function takeItems(
        uint256 end,
        uint256[BOOKED] memory releases,
        bool[BOOKED] memory touched,
        bool[BOOKED] memory busy
    ) internal returns (bytes memory batch) {
        AccountLeaf[BOOKED] memory before = book;
        for (uint256 n = head; n < end; ++n) {
            bytes memory entries = line[n].entries;
            for (uint256 at = 0; at < entries.length; at += 24) {
                (uint8 kind, uint256 to, uint160 payload) = parsed(entries, at);
                if (kind == EXIT) {
                    payload = two(before[to].balance, before[to].stake);
                    releases[to] += before[to].balance + before[to].stake;
                    ++forced;
                }
                busy[to] = busy[to] || kind == EXIT || kind == REKEY;
                touched[to] = true;
                enact(kind, 0, to, payload);
                batch = bytes.concat(batch, entry(kind, 0, to, payload));
            }
        }
    }

    /// @dev A list of account `i`, which spends what it had before the batch at most.
    function signed(
        uint256 i,
        uint32[2] memory had,
        uint256 seed,
        uint256[BOOKED] memory releases,
        bool[BOOKED] memory touched
    ) internal returns (bytes memory list) {
        for (uint256 n = 0; n < seed % 4; ++n) {
            uint8 kind = uint8(1 + (seed >> (8 + 8 * n)) % 6);
            uint256 to = kind == TRANSFER ? (seed >> (50 + 8 * n)) % rollup.opened() : i;
            uint160 payload = uint160(seed >> 228);
            if (kind == UNLOCK) {
                payload = amountOf(part(had[1], seed >> n));
                had[1] -= uint32(payload >> 128);
            } else if (kind != RECORD && kind != ACCESS) {
                payload = amountOf(part(had[0], seed >> n));
                had[0] -= uint32(payload >> 128);
            }
            if (kind == WITHDRAW) releases[i] += payload >> 128;
            enact(kind, i, to, payload);
            touched[to] = true;
            list = bytes.concat(list, entry(kind, i, to, payload));
        }
        touched[i] = true;
        enact(ROTATE, i, i, uint160(seed % 2 ** 28));
        list = bytes.concat(list, entry(ROTATE, i, i, uint160(seed % 2 ** 28)));
    }

    function part(uint32 whole, uint256 seed) internal pure returns (uint32) {
        return uint32(seed >> 60) % (whole + 1);
    }

    function parsed(bytes memory entries, uint256 at) internal pure returns (uint8, uint256, uint160) {
        uint256 word;
        assembly ("memory-safe") {
            word := shr(64, mload(add(add(entries, 0x20), at)))
        }
        return (uint8(word >> 160) % 16, word >> 174, uint160(word));
    }

    function submitFrom(address sequencer, bytes calldata batch, bytes32 newRoot) external {
        submit(sequencer, batch, newRoot);
    }

    function mayComeNow(address sequencer) internal view returns (bool) {
        uint256 turn = vm.getBlockNumber() / TURN;
        if (rollup.inTurn(turn) == sequencer) return true;
        SequencerSeat[] memory all = rollup.seats();
        for (uint256 i = 0; i < all.length; ++i) {
            bool counts = all[i].sequencer == sequencer && all[i].fromTurn <= turn && turn < all[i].untilTurn;
            if (counts) return rollup.lastTurn() + 1 < turn;
        }
        return false;
    }

    function queue(address payer, bytes memory entries, uint256 amount) internal {
        line.push(Waiting(entries, payer, amount, vm.getBlockNumber()));
        QueueItem memory item = rollup.itemOf(line.length);
        note(item.payer == payer && item.amount == amount, "another item");
    }

    function accountOf(address owner) internal view returns (uint256) {
        try rollup.indexOf(owner) returns (uint256 index) {
            return index;
        } catch {
            return BOOKED;
        }
    }

    function pick(uint256 who) internal view returns (address) {
        return cast[who % 8];
    }

    function note(bool kept, string memory what) internal {
        if (!kept) broken = what;
    }

    // ------------------------------------------------------------------ reads

    /// @return inTree What the accounts hold by the ledger. waiting: deposits that no batch took. due: what owners can claim.
    function units() external view returns (uint256 inTree, uint256 waiting, uint256 due) {
        for (uint256 i = 0; i < BOOKED; ++i) {
            if (!gone[i]) inTree += book[i].balance + book[i].stake;
            due += owed[i];
        }
        for (uint256 n = head; n < line.length; ++n) {
            waiting += line[n].amount;
        }
    }

    /// @return held Tokens of the contract. all: those of everybody, the contract included.
    function tokens() external view returns (uint256 held, uint256 all) {
        held = coin.balanceOf(address(rollup));
        all = held + coin.balanceOf(address(this)) + coin.balanceOf(address(rewards));
        for (uint256 i = 0; i < 8; ++i) {
            all += coin.balanceOf(cast[i]);
        }
    }

    /// @notice Whether the contract says of every account and of the queue what the ledger says.
    function agrees() external view returns (bool) {
        bool same = rollup.root() == lastRoot && rollup.taken() == head && rollup.queued() == line.length;
        for (uint256 i = 0; i < rollup.opened() && same; ++i) {
            (AccountState memory state, AccountLeaf memory own) = (rollup.accounts(i), book[i]);
            if (gone[i]) (own.balance, own.stake) = (0, 0);
            same = state.balance == own.balance && state.stake == own.stake && state.nonce == own.nonce
                && state.positive == own.positive && state.negative == own.negative && state.owed == owed[i]
                && state.escaped == gone[i];
        }
        return same;
    }
}
